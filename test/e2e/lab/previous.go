package lab

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// previousRelease is the one place that names the release before this one, by
// its version and its commit. Whoever makes a release changes it.
//
//go:embed previous-release
var previousRelease string

// Release is one that upgrades begin with.
type Release struct {
	Version, Commit string
	// Dir is a checkout of it.
	Dir string
	// Substitute is set when the history does not reach so far, as in a shallow
	// clone: Dir then is this checkout, and an upgrade changes little but names.
	Substitute bool
}

// String says what it is, loudly when it is not what it should be.
func (r Release) String() string {
	if r.Substitute {
		return fmt.Sprintf("NOT %s: commit %s is not in this clone, so THE PRESENT SOURCE WAS BUILT UNDER ITS NAME", r.Version, r.Commit)
	}
	return fmt.Sprintf("%s, commit %.7s", r.Version, r.Commit)
}

// hasCommit tells whether this checkout's history reaches that far.
func (c *Cluster) hasCommit(ctx context.Context, commit string) bool {
	_, err := c.execute(exec.CommandContext(ctx, "git", "-C", c.Root, "cat-file", "-e", commit+"^{commit}"))
	return err == nil
}

// PreviousRelease returns a checkout of the release before this one. It lies in
// the cache and is the same every time, so that little of it is compiled twice.
func (c *Cluster) PreviousRelease(ctx context.Context) (Release, error) {
	words := strings.Fields(previousRelease)
	if len(words) != 2 {
		return Release{}, fmt.Errorf("previous-release holds %q, want a version and a commit", previousRelease)
	}
	r := Release{Version: words[0], Commit: words[1]}
	if !c.hasCommit(ctx, r.Commit) {
		r.Dir, r.Substitute = c.Root, true
		return r, nil
	}
	cache, err := cacheDir()
	if err != nil {
		return Release{}, err
	}
	r.Dir = filepath.Join(cache, "releases", r.Commit)
	if _, err := os.Stat(r.Dir); err == nil {
		return r, nil
	}
	return r, c.checkOut(ctx, r)
}

// checkOut takes the files of a commit from the history. They appear all at
// once: of two that do this, one is late and finds them there.
func (c *Cluster) checkOut(ctx context.Context, r Release) error {
	if err := os.MkdirAll(filepath.Dir(r.Dir), 0o755); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(r.Dir), "unpacking-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	archive := filepath.Join(temporary, "archive.tar")
	files := filepath.Join(temporary, "files")
	if err := os.Mkdir(files, 0o755); err != nil {
		return err
	}
	for _, command := range [][]string{
		{"git", "-C", c.Root, "archive", "--format=tar", "--output=" + archive, r.Commit},
		{"tar", "-x", "-f", archive, "-C", files},
	} {
		if _, err := c.execute(exec.CommandContext(ctx, command[0], command[1:]...)); err != nil {
			return err
		}
	}
	if err := os.Rename(files, r.Dir); err != nil && !os.IsExist(err) {
		return err
	}
	return nil
}

// cacheDir is where make and localcluster keep what outlives a checkout.
func cacheDir() (string, error) {
	cache := os.Getenv("KUBEFLEDGED_CACHE")
	if cache == "" {
		var err error
		if cache, err = os.UserCacheDir(); err != nil {
			return "", err
		}
	}
	return filepath.Join(cache, "kubefledged"), nil
}
