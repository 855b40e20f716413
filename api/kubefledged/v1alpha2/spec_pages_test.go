package v1alpha2

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

const pages = "../../../docs/spec/"

// TestSpecPagesNameEveryWord: a reason that users can meet and cannot look up
// is a riddle. Messages count as words too.
func TestSpecPagesNameEveryWord(t *testing.T) {
	text := page(t, "imagecache.md") + page(t, "nodecache.md")
	for _, file := range []string{"conditions.go", "imagecache_status.go", "imagecache_types.go", "nodecache_types.go"} {
		for name, value := range constants(t, file) {
			if !strings.Contains(text, value) {
				t.Errorf("docs/spec does not name %s: %s", name, value)
			}
		}
	}
}

func TestSpecPagesNameEveryField(t *testing.T) {
	for name, kind := range map[string]reflect.Type{
		"imagecache.md": reflect.TypeFor[ImageCache](),
		"nodecache.md":  reflect.TypeFor[NodeCache](),
	} {
		text := page(t, name)
		for _, field := range fields(kind) {
			if !strings.Contains(text, "`"+field+"`") && !strings.Contains(text, "."+field+"`") && !strings.Contains(text, "[]."+field) {
				t.Errorf("docs/spec/%s does not name the field %s", name, field)
			}
		}
	}
}

// fields lists the JSON names of the fields of our own types.
func fields(kind reflect.Type) []string {
	for kind.Kind() == reflect.Pointer || kind.Kind() == reflect.Slice || kind.Kind() == reflect.Map {
		kind = kind.Elem()
	}
	if kind.Kind() != reflect.Struct || kind.PkgPath() != reflect.TypeFor[ImageCache]().PkgPath() {
		return nil
	}
	var names []string
	for i := range kind.NumField() {
		field := kind.Field(i)
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "metadata" {
			names = append(names, name)
		}
		names = append(names, fields(field.Type)...)
	}
	return names
}

// constants returns the string constants that a file declares.
func constants(t *testing.T, file string) map[string]string {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	ast.Inspect(tree, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, value := range spec.Values {
			if literal, ok := value.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				values[spec.Names[i].Name], _ = strconv.Unquote(literal.Value)
			}
		}
		return true
	})
	return values
}

func page(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(pages + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
