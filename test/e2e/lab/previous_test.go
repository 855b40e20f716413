package lab

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A clone that does not reach back to the release says so, and one that does
// gets its files.
func TestPreviousRelease(t *testing.T) {
	t.Setenv("KUBEFLEDGED_CACHE", t.TempDir())
	root := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		args = append([]string{"-C", root, "-c", "user.name=a", "-c", "user.email=a@b.test", "-c", "commit.gpgsign=false"}, args...)
		output, err := exec.CommandContext(t.Context(), "git", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, output)
		}
		return strings.TrimSpace(string(output))
	}
	git("init", "--quiet")
	if err := os.WriteFile(filepath.Join(root, "file"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	git("add", "file")
	git("commit", "--quiet", "--message=first")
	cluster := &Cluster{Root: root, log: io.Discard}

	got, err := cluster.PreviousRelease(t.Context())
	if err != nil || !got.Substitute || got.Dir != root || !strings.Contains(got.String(), "THE PRESENT SOURCE") {
		t.Errorf("release %+v (%s), error %v", got, got, err)
	}

	given := previousRelease
	defer func() { previousRelease = given }()
	previousRelease = "v1.2.3 " + git("rev-parse", "HEAD") + "\n"
	if err := os.WriteFile(filepath.Join(root, "file"), []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is there already
		got, err = cluster.PreviousRelease(t.Context())
		content, _ := os.ReadFile(filepath.Join(got.Dir, "file"))
		if err != nil || got.Substitute || got.Version != "v1.2.3" || string(content) != "old" {
			t.Errorf("release %+v with %q, error %v", got, content, err)
		}
	}
}
