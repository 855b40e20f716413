package conventions

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// link matches the target of a Markdown link up to an anchor or a title.
var link = regexp.MustCompile(`\]\(([^)#\s]+)[^)]*\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	for _, page := range filesEndingIn(t, ".md") {
		for _, match := range link.FindAllStringSubmatch(read(t, page), -1) {
			if strings.Contains(match[1], ":") || strings.Contains(match[1], "NNNN") {
				continue // another site, or the template
			}
			target := filepath.Join(filepath.Dir(page), match[1])
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s links to %s, which does not exist", page, match[1])
			}
		}
	}
}

func TestDecisionsAreListed(t *testing.T) {
	index := read(t, "docs/adr/README.md")
	records, err := fs.Glob(os.DirFS(root), "docs/adr/0*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range records {
		if name := filepath.Base(record); !strings.Contains(index, "("+name+")") {
			t.Errorf("docs/adr/README.md does not list %s", name)
		}
	}
}
