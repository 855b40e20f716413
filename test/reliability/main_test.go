package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPage(t *testing.T) {
	const reported = `{"scenario":"TestB/one","injected":"a | b","expected":"c","seen":["5s","<x>"],"passed":true}
{"scenario":"TestA","injected":"d","expected":"e","passed":false}
{"scenario":"TestB/two","injected":"f","expected":"g","seen":["h\ni"],"passed":true}
`
	var out strings.Builder
	if err := run("abc", "", strings.NewReader(reported), &out); err != nil {
		t.Fatal(err)
	}
	intro, table, _ := strings.Cut(out.String(), "\n| ")
	if !strings.Contains(intro, "commit abc: 3 faults, 1 not as expected") {
		t.Errorf("the intro is %s", intro)
	}
	want := `scenario | what was done | expected | seen | |
|---|---|---|---|---|
| TestB | a \| b | c | 5s<br>&lt;x&gt; | ok |
| TestA | d | e |  | **failed** |
| TestB | f | g | h i | ok |
`
	if diff := cmp.Diff(want, table); diff != "" {
		t.Error(diff)
	}
}

func TestText(t *testing.T) {
	const reported = `{"scenario":"TestB","injected":"a\nb","expected":"c","seen":["5s","d"],"passed":true,"seconds":1.6}
{"scenario":"TestA","injected":"e","expected":"f","passed":false}
`
	var out strings.Builder
	if err := run("abc", "make it", strings.NewReader(reported), &out); err != nil {
		t.Fatal(err)
	}
	want := `make it: 2 scenarios, 1 not as expected

TestA: FAILED, 0 s
  done      e
  expected  f

TestB: ok, 2 s
  done      a b
  expected  c
  seen      5s
            d
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

// A run that reported nothing must not leave an empty page.
func TestNothingReported(t *testing.T) {
	if err := run("abc", "", strings.NewReader(""), &strings.Builder{}); err == nil {
		t.Error("no error")
	}
	if err := run("abc", "", strings.NewReader("{"), &strings.Builder{}); err == nil {
		t.Error("no error for what is no report")
	}
}
