// Package conventions holds the rules of CONTRIBUTING.md that no linter checks.
package conventions

import (
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

	// maxMainLines keeps everything worth a test out of package main.
	maxMainLines = 60
)

// generated is the marker of https://go.dev/s/generatedcode.
var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

func TestFilesAreShort(t *testing.T) {
	for _, name := range filesEndingIn(t, ".go") {
		// The tables of tests may be long.
		if content := read(t, name); !strings.HasSuffix(name, "_test.go") && !generated.MatchString(content) {
			checkLines(t, name, content, maxLines)
		}
	}
}

func TestProgramsAreShort(t *testing.T) {
	mains, err := fs.Glob(os.DirFS(root), "cmd/*/main.go")
	if err != nil || len(mains) == 0 {
		t.Fatalf("found %d programs: %v", len(mains), err)
	}
	for _, name := range mains {
		checkLines(t, name, read(t, name), maxMainLines)
	}
}

func checkLines(t *testing.T, name, content string, limit int) {
	t.Helper()
	if lines := strings.Count(content, "\n"); lines > limit {
		t.Errorf("%s has %d lines, the limit is %d: split it by subject", name, lines, limit)
	}
}

// filesEndingIn lists files of every module in the repository, relative to its root.
func filesEndingIn(t *testing.T, suffix string) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && skipped(entry.Name()):
			return fs.SkipDir
		case strings.HasSuffix(name, suffix):
			names = append(names, name)
		}
		return nil
	})
	if err != nil || len(names) == 0 {
		t.Fatalf("found %d files *%s: %v", len(names), suffix, err)
	}
	return names
}

func skipped(dir string) bool {
	return dir == ".git" || dir == "bin" || dir == "dist" || dir == "vendor"
}

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
