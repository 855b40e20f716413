// Package compatibility holds docs/compatibility.md against the code: what it
// promises to users of the original must be there, and nothing of the original
// may be missing from it.
package compatibility

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// row is one name of the original and what has become of it.
type row struct{ group, name, state, note string }

var line = regexp.MustCompile("^\\| `([^|]+)` \\| ([^|]*)\\|([^|]*)\\|$")

// rows reads the tables of the page; a group is a heading.
func rows(page string) []row {
	var all []row
	group := ""
	for _, text := range strings.Split(page, "\n") {
		if heading, ok := strings.CutPrefix(text, "## "); ok {
			group = heading
		}
		if m := line.FindStringSubmatch(text); m != nil {
			all = append(all, row{group, m[1], strings.TrimSpace(m[2]), strings.TrimSpace(m[3])})
		}
	}
	return all
}

// check returns what is wrong with the tables, given what the code has. A group
// that has no facts is of what does not exist yet: it cannot keep anything.
func check(all []row, facts map[string][]string) []string {
	var problems []string
	seen := map[row]bool{}
	for _, r := range all {
		have, known := facts[r.group]
		there := slices.Contains(have, r.name)
		what := r.group + ": " + r.name + " is " + r.state
		switch r.state {
		case "kept", "accepted":
			if !known {
				problems = append(problems, what+", but nothing holds that: add the group to the facts of this test")
			} else if !there {
				problems = append(problems, what+", but the code does not have it")
			}
		case "planned", "dropped":
			if there {
				problems = append(problems, what+", but the code has it")
			}
		default:
			problems = append(problems, what+", which is no word of this table")
		}
		if r.note == "" && (r.state == "accepted" || r.state == "dropped") {
			problems = append(problems, what+" without a reason")
		}
		if key := (row{group: r.group, name: r.name}); seen[key] {
			problems = append(problems, what+" and listed twice")
		} else {
			seen[key] = true
		}
	}
	return problems
}

// missing returns the names of the original that the tables do not have, and
// those of the tables that the original does not have.
func missing(all []row, original string) []string {
	group, want := "", map[row]bool{}
	for _, text := range strings.Split(original, "\n") {
		if heading, ok := strings.CutPrefix(text, "# "); ok {
			group = heading
		} else if text != "" {
			want[row{group: group, name: text}] = true
		}
	}
	var problems []string
	for _, r := range all {
		key := row{group: r.group, name: r.name}
		if !want[key] {
			problems = append(problems, r.group+": "+r.name+" is no name of the original's (testdata/original.txt)")
		}
		delete(want, key)
	}
	for r := range want {
		problems = append(problems, r.group+": the original's "+r.name+" is not listed")
	}
	slices.Sort(problems)
	return problems
}

func TestPage(t *testing.T) {
	all := rows(read(t, "docs/compatibility.md"))
	for _, problem := range check(all, facts(t)) {
		t.Errorf("docs/compatibility.md: %s", problem)
	}
	for _, problem := range missing(all, read(t, "internal/compatibility/testdata/original.txt")) {
		t.Errorf("docs/compatibility.md: %s", problem)
	}
}

// Every kind of lie must be found.
func TestCheckFindsLies(t *testing.T) {
	code := map[string][]string{"Flags": {"--there"}}
	for text, want := range map[string]string{
		"## Flags\n| `--there` | kept | |":                       "",
		"## Flags\n| `--gone` | kept | |":                        "Flags: --gone is kept, but the code does not have it",
		"## Flags\n| `--gone` | accepted | why |":                "Flags: --gone is accepted, but the code does not have it",
		"## Flags\n| `--there` | accepted | |":                   "Flags: --there is accepted without a reason",
		"## Flags\n| `--there` | planned | |":                    "Flags: --there is planned, but the code has it",
		"## Flags\n| `--there` | dropped | why |":                "Flags: --there is dropped, but the code has it",
		"## Flags\n| `--gone` | dropped | |":                     "Flags: --gone is dropped without a reason",
		"## Flags\n| `--there` | perhaps | |":                    "Flags: --there is perhaps, which is no word of this table",
		"## Flags\n| `--a` | planned | |\n| `--a` | planned | |": "Flags: --a is planned and listed twice",
		"## Chart\n| `a.b` | kept | |":                           "Chart: a.b is kept, but nothing holds that: add the group to the facts of this test",
	} {
		if got := strings.Join(check(rows(text), code), "; "); got != want {
			t.Errorf("%q:\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestMissingFindsGaps(t *testing.T) {
	all := rows("## Flags\n| `--a` | kept | |\n| `--ours` | kept | |")
	want := []string{"Flags: --ours is no name of the original's (testdata/original.txt)", "Flags: the original's --b is not listed"}
	if got := missing(all, "# Flags\n--a\n--b\n"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
