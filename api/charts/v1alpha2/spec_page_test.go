package v1alpha2

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

// A word that users can meet must be one they can look up.
func TestSpecPageNamesEveryWord(t *testing.T) {
	page, err := os.ReadFile("../../../docs/spec/kubefledged.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"conditions.go", "keys.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(node ast.Node) bool {
			literal, ok := node.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			word, err := strconv.Unquote(literal.Value)
			if err == nil && !strings.HasPrefix(word, "app.kubernetes.io/") && !strings.HasPrefix(word, "meta.helm.sh/") && !strings.Contains(string(page), word) {
				t.Errorf("docs/spec/kubefledged.md does not say what %s is", word)
			}
			return true
		})
	}
}
