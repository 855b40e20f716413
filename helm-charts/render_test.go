// Package charts_test holds the charts against what they promise: the objects
// they render, the flags of the programs, the roles in config/ and their values.
package charts_test

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite the golden files, the tables of values and the copies of the CRDs")

// release is what a chart is installed as.
type release struct {
	name, namespace string
	values          map[string]any
}

// theRelease is the one of the documentation.
func theRelease(values map[string]any) release {
	return release{name: "kubefledged", namespace: "kube-fledged", values: values}
}

// loaded are the charts by directory: reading one takes longer than rendering it.
var loaded = map[string]*chart.Chart{}

func load(t *testing.T, dir string) *chart.Chart {
	t.Helper()
	if loaded[dir] == nil {
		c, err := loader.LoadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		loaded[dir] = c
	}
	return loaded[dir]
}

// tryRender returns the manifests by the names of their templates, as helm
// template makes them, or what Helm says about the values.
func tryRender(t *testing.T, dir string, r release) (map[string]string, error) {
	t.Helper()
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion = chartutil.KubeVersion{Version: "v1.37.2", Major: "1", Minor: "37"}
	values, err := chartutil.ToRenderValues(load(t, dir), r.values,
		chartutil.ReleaseOptions{Name: r.name, Namespace: r.namespace, Revision: 1, IsInstall: true}, capabilities)
	if err != nil {
		return nil, err
	}
	return engine.Render(load(t, dir), values)
}

func render(t *testing.T, r release) map[string]string {
	t.Helper()
	manifests, err := tryRender(t, "kubefledged", r)
	if err != nil {
		t.Fatal(err)
	}
	return manifests
}

// join writes the manifests that are not empty into one, in the order of names.
func join(manifests map[string]string) string {
	var all strings.Builder
	for _, name := range slices.Sorted(maps.Keys(manifests)) {
		if text := strings.TrimSpace(manifests[name]); text != "" && !strings.HasSuffix(name, "NOTES.txt") {
			all.WriteString("---\n# Source: " + name + "\n" + strings.TrimPrefix(text, "---\n") + "\n")
		}
	}
	return all.String()
}

// object is one rendered object: what every kind has, and its text.
type object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name            string            `json:"name"`
		Namespace       string            `json:"namespace"`
		Labels          map[string]string `json:"labels"`
		Annotations     map[string]string `json:"annotations"`
		OwnerReferences []any             `json:"ownerReferences"`
	} `json:"metadata"`
	text string
}

func (o *object) String() string { return o.Kind + "/" + o.Metadata.Name }

// into decodes the object, and knows every field of it.
func (o *object) into(t *testing.T, typed any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(o.text), typed); err != nil {
		t.Fatalf("%s: %v\n%s", o, err, o.text)
	}
}

func objects(t *testing.T, r release) []object {
	t.Helper()
	var all []object
	for _, text := range strings.Split(join(render(t, r)), "\n---\n") {
		o := object{text: text}
		if err := yaml.Unmarshal([]byte(text), &o); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if o.Kind == "" {
			t.Fatalf("an object without a kind:\n%s", text)
		}
		all = append(all, o)
	}
	return all
}

// find returns the object of this kind and name, or nil.
func find(all []object, kind, name string) *object {
	for i := range all {
		if all[i].Kind == kind && all[i].Metadata.Name == name {
			return &all[i]
		}
	}
	return nil
}

func mustFind(t *testing.T, all []object, kind, name string) *object {
	t.Helper()
	o := find(all, kind, name)
	if o == nil {
		t.Fatalf("no %s/%s", kind, name)
	}
	return o
}

// valuesOf reads a values file of testdata.
func valuesOf(t *testing.T, name string) map[string]any {
	t.Helper()
	values := map[string]any{}
	if err := yaml.UnmarshalStrict([]byte(read(t, filepath.Join("testdata", name+".values.yaml"))), &values); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return values
}

// parse reads values as a user writes them.
func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	values := map[string]any{}
	if err := yaml.UnmarshalStrict([]byte(text), &values); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return values
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// released returns the version that the charts have and install.
func released(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(read(t, "../VERSION"))
}

// golden compares text with a file, or rewrites the file.
func golden(t *testing.T, path, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := read(t, path); want != text {
		t.Errorf("%s is not what is rendered; go test ./helm-charts -update accepts the change\n%s", path, firstDifference(want, text))
	}
}

// firstDifference shows the first lines that differ: a diff of whole manifests
// would hide them.
func firstDifference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return "line " + strings.Join([]string{"want: " + a[i], "got:  " + b[i]}, "\n     ")
		}
	}
	return "one is longer than the other"
}
