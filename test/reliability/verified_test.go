package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the checkout.
var root = filepath.Join("..", "..")

var (
	namedTest   = regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	definedTest = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(`)
)

// What docs/verified.md calls verified is verified by a test that exists.
func TestVerifiedNamesTests(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "verified.md"))
	if err != nil {
		t.Fatal(err)
	}
	defined := definedTests(t)
	names := namedTest.FindAllStringSubmatch(string(page), -1)
	if len(names) < 30 {
		t.Errorf("%d tests are named", len(names))
	}
	for _, name := range names {
		if !defined[name[1]] {
			t.Errorf("there is no test %s", name[1])
		}
	}
}

func definedTests(t *testing.T) map[string]bool {
	t.Helper()
	defined := map[string]bool{}
	for _, dir := range []string{"cmd", "controllers", "internal", "test"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			content, err := os.ReadFile(path)
			for _, name := range definedTest.FindAllStringSubmatch(string(content), -1) {
				defined[name[1]] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return defined
}
