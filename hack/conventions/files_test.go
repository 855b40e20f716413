// Package conventions holds the rules of CONTRIBUTING.md that no linter checks.
package conventions

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	root = "../.."

	// maxLines keeps a file to one subject: what no longer fits has become two.
	maxLines = 400
)

// generated is the marker of https://go.dev/s/generatedcode.
var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

func TestFilesAreShort(t *testing.T) {
	for _, name := range handWrittenFiles(t) {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if generated.Match(content) {
			continue
		}
		if lines := bytes.Count(content, []byte("\n")); lines > maxLines {
			t.Errorf("%s has %d lines, the limit is %d: split it by subject", name, lines, maxLines)
		}
	}
}

// handWrittenFiles lists the Go files of every module in the repository but
// tests, whose tables may be long.
func handWrittenFiles(t *testing.T) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && skipped(entry.Name()):
			return fs.SkipDir
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Fatalf("no Go files under %s", root)
	}
	return names
}

func skipped(dir string) bool {
	return dir == ".git" || dir == "bin" || dir == "dist" || dir == "vendor"
}
