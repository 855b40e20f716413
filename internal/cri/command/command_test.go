package command

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubefledged/kubefledged-operator/internal/cri"
)

func TestRun(t *testing.T) {
	cases := map[string]struct {
		args      []string
		wantOut   string
		wantUsage string
	}{
		"noop says nothing":        {args: []string{"noop"}},
		"version":                  {args: []string{"version"}, wantOut: cri.ProgramName + " dev"},
		"help":                     {args: []string{"--help"}, wantOut: "install DIR"},
		"no command":               {wantUsage: "no command given"},
		"empty command":            {args: []string{""}, wantUsage: `unknown command ""`},
		"unknown command":          {args: []string{"pull"}, wantUsage: `unknown command "pull"`},
		"noop with an argument":    {args: []string{"noop", "x"}, wantUsage: "noop takes 0 argument(s), got 1"},
		"install without a DIR":    {args: []string{"install"}, wantUsage: "install takes 1 argument(s), got 0"},
		"case matters for a verb":  {args: []string{"NOOP"}, wantUsage: `unknown command "NOOP"`},
		"a flag is not a command":  {args: []string{"-v"}, wantUsage: `unknown command "-v"`},
		"help for the second word": {args: []string{"noop", "--help"}, wantUsage: "noop takes 0 argument(s)"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := Run(t.Context(), tc.args, &out)
			if tc.wantUsage == "" {
				checkOutput(t, err, out.String(), tc.wantOut)
				return
			}
			var usage *UsageError
			if !errors.As(err, &usage) {
				t.Fatalf("Run(%q) = %v, want a UsageError", tc.args, err)
			}
			for _, want := range []string{tc.wantUsage, "Usage: " + cri.ProgramName} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not contain %q", err, want)
				}
			}
		})
	}
}

// checkOutput treats want as a part of got, and an empty want as no output at all.
func checkOutput(t *testing.T, err error, got, want string) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
	if want == "" && got != "" {
		t.Errorf("output %q, want none", got)
	}
	if !strings.Contains(got, want) {
		t.Errorf("output %q does not contain %q", got, want)
	}
}

func TestHelpNamesEveryCommand(t *testing.T) {
	for _, c := range commands() {
		if !strings.Contains(Help(), "\n  "+c.name) {
			t.Errorf("help does not name %q:\n%s", c.name, Help())
		}
	}
}

func TestRunInstallCopiesThisProgram(t *testing.T) {
	dir := t.TempDir()
	if err := Run(t.Context(), []string{"install", dir}, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, cri.ProgramName)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the copy differs from this program: %v", err)
	}
}
