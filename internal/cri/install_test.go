package cri

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// checkInstalled also checks that nothing but the program was left behind.
func checkInstalled(t *testing.T, dir string, want []byte) {
	t.Helper()
	name := filepath.Join(dir, ProgramName)
	if !bytes.Equal(readFile(t, name), want) {
		t.Errorf("%s differs from its source", name)
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != installedMode {
		t.Errorf("mode %v, want %v", info.Mode(), installedMode)
	}
	checkEntries(t, dir, 1)
}

func checkEntries(t *testing.T, dir string, want int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != want {
		t.Errorf("%d entries in %s, want %d: %v", len(entries), dir, want, entries)
	}
}

func TestInstallReplacesAnOlderCopy(t *testing.T) {
	dir, sources := t.TempDir(), t.TempDir()
	for _, content := range []string{"first", "first", "second, longer"} {
		source := writeFile(t, filepath.Join(sources, "program"), content)
		if err := Install(source, dir); err != nil {
			t.Fatal(err)
		}
		checkInstalled(t, dir, []byte(content))
	}
}

// A reader that opened the old copy keeps it whole: the file is replaced, never
// written into. A running program could not be written into at all.
func TestInstallLeavesTheOpenCopyAlone(t *testing.T) {
	dir, sources := t.TempDir(), t.TempDir()
	if err := Install(writeFile(t, filepath.Join(sources, "a"), "old"), dir); err != nil {
		t.Fatal(err)
	}
	open, err := os.Open(filepath.Join(dir, ProgramName))
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if err := Install(writeFile(t, filepath.Join(sources, "b"), "new"), dir); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 8)
	if n, _ := open.Read(got); string(got[:n]) != "old" {
		t.Errorf("the open copy reads %q, want %q", got[:n], "old")
	}
}

func TestInstallErrors(t *testing.T) {
	dir := t.TempDir()
	source := writeFile(t, filepath.Join(dir, "program"), "x")
	cases := map[string]struct {
		source, dir string
		wantIs      error
		wantText    string
	}{
		"missing directory": {source, filepath.Join(dir, "none"), fs.ErrNotExist, "is the volume mounted there?"},
		"file for a dir":    {source, source, syscall.ENOTDIR, "is not a directory"},
		"missing source":    {filepath.Join(dir, "none"), t.TempDir(), fs.ErrNotExist, "install into"},
		"unreadable source": {dir, t.TempDir(), syscall.EISDIR, "install into"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := Install(tc.source, tc.dir)
			if !errors.Is(err, tc.wantIs) || !strings.Contains(err.Error(), tc.wantText) {
				t.Errorf("Install = %v, want %v and the words %q", err, tc.wantIs, tc.wantText)
			}
		})
	}
}

func TestInstallCleansUpAfterAFailure(t *testing.T) {
	target := t.TempDir()
	if err := Install(t.TempDir(), target); err == nil {
		t.Fatal("copying a directory succeeded")
	}
	checkEntries(t, target, 0)
}

func TestExplainNamesTheCause(t *testing.T) {
	cases := map[error]string{
		syscall.ENOSPC: "the volume is full",
		syscall.EDQUOT: "the volume is full",
		syscall.EROFS:  "the volume is read-only",
		syscall.EACCES: "fsGroup",
	}
	for cause, want := range cases {
		err := explain(&fs.PathError{Op: "write", Path: "/helper/x", Err: cause})
		if !errors.Is(err, cause) || !strings.Contains(err.Error(), want) {
			t.Errorf("explain(%v) = %v, want the cause kept and the words %q", cause, err, want)
		}
	}
	if err := explain(syscall.EIO); err.Error() != syscall.EIO.Error() {
		t.Errorf("explain changed an error it knows nothing of: %v", err)
	}
}
