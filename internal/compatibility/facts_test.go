package compatibility

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	"github.com/kubefledged/kubefledged-operator/controllers"
)

// facts returns, by the groups of the page, the names that the code has.
func facts(t *testing.T) map[string][]string {
	api := constants(t, "api/kubefledged/v1alpha2")
	crd := resource(t)
	return map[string][]string{
		"Custom resource":     crd.names(),
		"Fields":              crd.fields(t),
		"Status words":        withPrefix(api, "ImageCacheActionStatus"),
		"Reasons":             withPrefix(api, "ImageCacheReason"),
		"Messages":            withPrefix(api, "Message"),
		"Annotations":         withPrefix(api, "Annotation"),
		"Labels":              labels(api),
		"Controller flags":    flags(),
		"Environment":         withPrefix(constants(t, "controllers"), "env"),
		"RBAC":                append(objects(t), chartObjects(t)...),
		"Validation messages": withPrefix(constants(t, "internal/validation"), "message"),
		"Webhook server":      webhookServer(t),
		"Events":              recorders(t),
		"Make targets":        targets(t),
		"Operator":            operator(t),
		"Chart values":        chartValues(t),
	}
}

// chartValues returns the paths of all values of the chart.
func chartValues(t *testing.T) []string {
	t.Helper()
	var values map[string]any
	if err := yaml.Unmarshal([]byte(read(t, "helm-charts/kubefledged/values.yaml")), &values); err != nil {
		t.Fatal(err)
	}
	var paths []string
	var walk func(values map[string]any, prefix string)
	walk = func(values map[string]any, prefix string) {
		for name, value := range values {
			paths = append(paths, prefix+name)
			if below, ok := value.(map[string]any); ok {
				walk(below, prefix+name+".")
			}
		}
	}
	walk(values, "")
	return paths
}

var envName = regexp.MustCompile(`(?m)^ +- name: ([A-Z_]+)$`)

// operator returns the names of its resource, its objects and its environment.
func operator(t *testing.T) []string {
	crd := resourceIn(t, "charts.helm.kubefledged.io_kubefledgeds.yaml")
	names := append(crd.names(), crd.Spec.Group+"/"+crd.Spec.Versions[0].Name)
	for _, m := range envName.FindAllStringSubmatch(read(t, "config/manager/deployment.yaml"), -1) {
		names = append(names, m[1])
	}
	return append(names, objects(t)...)
}

// flags returns those of the controller.
func flags() []string {
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	options := controllers.DefaultOptions()
	options.AddFlags(fs)
	controllers.AddLoggingFlags(fs)
	var names []string
	fs.VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	return names
}

// constants returns the string constants of a package.
func constants(t *testing.T, dir string) map[string]string {
	t.Helper()
	values := map[string]string{}
	inspect(t, dir, func(node ast.Node) {
		spec, ok := node.(*ast.ValueSpec)
		for i := 0; ok && i < min(len(spec.Names), len(spec.Values)); i++ {
			if value, isText := text(spec.Values[i]); isText {
				values[spec.Names[i].Name] = value
			}
		}
	})
	return values
}

// inspect visits the syntax of a package's files, tests left out.
func inspect(t *testing.T, dir string, visit func(ast.Node)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool { visit(node); return true })
	}
}

func text(expr ast.Expr) (string, bool) {
	literal, ok := expr.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", false
	}
	value, err := strconv.Unquote(literal.Value)
	return value, err == nil
}

func withPrefix(constants map[string]string, prefix string) []string {
	var values []string
	for name, value := range constants {
		if strings.HasPrefix(name, prefix) {
			values = append(values, value)
		}
	}
	return values
}

// labels returns the keys of our labels, and key=value where the value is fixed.
func labels(api map[string]string) []string {
	var all []string
	for name, key := range api {
		if strings.HasPrefix(name, "Label") && !strings.HasSuffix(name, "Value") {
			all = append(all, key)
			if value, fixed := api[name+"Value"]; fixed {
				all = append(all, key+"="+value)
			}
		}
	}
	return all
}

// recorders returns the components that Events are sent by.
func recorders(t *testing.T) []string {
	var names []string
	inspect(t, "controllers/imagecache", func(node ast.Node) {
		call, ok := node.(*ast.CallExpr)
		if !ok || len(call.Args) != 1 {
			return
		}
		if f, isMethod := call.Fun.(*ast.SelectorExpr); isMethod && f.Sel.Name == "GetEventRecorder" {
			if name, isText := text(call.Args[0]); isText {
				names = append(names, name)
			}
		}
	})
	return names
}

var target = regexp.MustCompile(`(?m)^([a-z0-9-]+):`)

func targets(t *testing.T) []string {
	var names []string
	for _, m := range target.FindAllStringSubmatch(read(t, "Makefile"), -1) {
		names = append(names, m[1])
	}
	return names
}

// definition is what matters of a CustomResourceDefinition.
type definition struct {
	Metadata struct{ Name string }
	Spec     struct {
		Group, Scope string
		Names        struct {
			Kind, Plural, Singular string
			ShortNames             []string
		}
		Versions []struct {
			Name   string
			Schema struct{ OpenAPIV3Schema schema }
		}
	}
}

type schema struct {
	Properties           map[string]schema
	Items                *schema
	AdditionalProperties *schema
}

func resource(t *testing.T) definition {
	t.Helper()
	return resourceIn(t, "kubefledged.io_imagecaches.yaml")
}

func resourceIn(t *testing.T, file string) definition {
	t.Helper()
	var crd definition
	if err := yaml.Unmarshal([]byte(read(t, "config/crd/bases/"+file)), &crd); err != nil {
		t.Fatal(err)
	}
	return crd
}

func (d *definition) names() []string {
	s := &d.Spec
	names := []string{d.Metadata.Name, s.Group, s.Scope, s.Names.Kind, s.Names.Plural, s.Names.Singular}
	for _, v := range s.Versions {
		names = append(names, v.Name)
	}
	return append(names, s.Names.ShortNames...)
}

// fields returns the paths of all fields: [] is an item of a list, {} a value of a map.
func (d *definition) fields(t *testing.T) []string {
	t.Helper()
	if len(d.Spec.Versions) != 1 {
		t.Fatalf("%d versions", len(d.Spec.Versions))
	}
	var paths []string
	var walk func(s *schema, path string)
	walk = func(s *schema, path string) {
		paths = append(paths, path)
		for name, property := range s.Properties {
			walk(&property, strings.TrimPrefix(path+"."+name, "."))
		}
		if s.Items != nil {
			walk(s.Items, path+"[]")
		}
		if s.AdditionalProperties != nil {
			walk(s.AdditionalProperties, path+"{}")
		}
	}
	walk(&d.Spec.Versions[0].Schema.OpenAPIV3Schema, "")
	return paths
}

// objects returns Kind/name of the objects and of the subjects in config/.
func objects(t *testing.T) []string {
	t.Helper()
	type object struct {
		Kind     string
		Metadata struct{ Name string }
		Subjects []struct{ Kind, Name string }
	}
	var names []string
	err := filepath.WalkDir(filepath.Join(root, "config"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yaml" {
			return err
		}
		content, err := os.ReadFile(path)
		for _, document := range strings.Split(string(content), "\n---\n") {
			var o object
			if err := yaml.Unmarshal([]byte(document), &o); err != nil {
				return err
			}
			names = append(names, o.Kind+"/"+o.Metadata.Name)
			for _, s := range o.Subjects {
				names = append(names, s.Kind+"/"+s.Name)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
