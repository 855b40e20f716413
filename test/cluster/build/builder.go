package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"
)

// Builder compiles recipes into Cache, from the module folders below Sources.
type Builder struct {
	Sources string
	Cache   string
	// Progress receives one line when a build starts and one when it ends.
	Progress io.Writer
}

// Dir returns the directory that holds, or will hold, the binaries of recipe.
func (b Builder) Dir(recipe Recipe) (string, error) {
	key, err := Key(recipe, filepath.Join(b.Sources, recipe.module()))
	if err != nil {
		return "", err
	}
	return filepath.Join(b.Cache, "components", recipe.Name+"-"+key), nil
}

// Ensure compiles recipe unless its binaries are there, and returns their
// directory. Two programs that ask at once build once: the second one waits.
func (b Builder) Ensure(ctx context.Context, recipe Recipe) (string, error) {
	dir, err := b.Dir(recipe)
	if err != nil || exists(dir) {
		return dir, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(ctx, dir+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if exists(dir) {
		return dir, nil
	}
	return dir, b.build(ctx, recipe, dir)
}

// EnsureAll makes sure of all recipes and returns the directories by name.
// They are compiled one after another: each build uses every core by itself.
func (b Builder) EnsureAll(ctx context.Context, recipes []Recipe) (map[string]string, error) {
	dirs := map[string]string{}
	for _, recipe := range recipes {
		dir, err := b.Ensure(ctx, recipe)
		if err != nil {
			return nil, err
		}
		dirs[recipe.Name] = dir
	}
	return dirs, nil
}

// build compiles into a directory beside dir and renames it, so that dir is
// either absent or complete.
func (b Builder) build(ctx context.Context, recipe Recipe, dir string) error {
	if runtime.GOOS != "linux" && !recipe.AnyOS {
		return fmt.Errorf("%s can be built and used on Linux only, not on %s", recipe.Name, runtime.GOOS)
	}
	started := time.Now()
	fmt.Fprintf(b.Progress, "building %s ...\n", recipe.Name)
	temporary, err := os.MkdirTemp(filepath.Dir(dir), "."+recipe.Name+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	if err := b.compile(ctx, recipe, temporary); err != nil {
		return fmt.Errorf("building %s: %w", recipe.Name, err)
	}
	if err := link(recipe, temporary); err != nil {
		return err
	}
	// Other users may run what one user (say root) has built.
	if err := os.Chmod(temporary, 0o755); err != nil {
		return err
	}
	if err := os.Rename(temporary, dir); err != nil {
		return err
	}
	fmt.Fprintf(b.Progress, "built %s in %.0f s\n", recipe.Name, time.Since(started).Seconds())
	return nil
}

// compile runs go build and says every minute that it still runs: the largest
// build takes a quarter of an hour when nothing is cached.
func (b Builder) compile(ctx context.Context, recipe Recipe, output string) error {
	args := append([]string{"build"}, recipe.Flags...)
	args = append(args, "-o", output+string(filepath.Separator))
	command := exec.CommandContext(ctx, "go", append(args, recipe.Packages...)...)
	command.Dir = filepath.Join(b.Sources, recipe.module())
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	command.Stdout, command.Stderr = b.Progress, b.Progress
	finished := make(chan struct{})
	var group errgroup.Group
	group.Go(func() error {
		defer close(finished)
		return command.Run()
	})
	group.Go(func() error {
		b.sayStillBuilding(recipe, finished)
		return nil
	})
	return group.Wait()
}

func (b Builder) sayStillBuilding(recipe Recipe, finished <-chan struct{}) {
	started := time.Now()
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for {
		select {
		case <-finished:
			return
		case <-ticker.C:
			fmt.Fprintf(b.Progress, "building %s ... %.0f s\n", recipe.Name, time.Since(started).Seconds())
		}
	}
}

// link gives the first binary its further names. The links are relative, so
// that the directory can be moved or mounted elsewhere.
func link(recipe Recipe, dir string) error {
	suffix := ""
	if runtime.GOOS == "windows" {
		suffix = ".exe"
	}
	for _, name := range recipe.Links {
		if err := os.Symlink(recipe.Name+suffix, filepath.Join(dir, name+suffix)); err != nil {
			return err
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}
