package build

import (
	"errors"
	"os"
	"path/filepath"
)

// SourcesVariable names the environment variable that overrides where the
// cluster's sources are looked for.
const SourcesVariable = "KUBEFLEDGED_CLUSTER_SOURCES"

// Sources returns the folder that holds the component modules: the one the
// environment names, else the one found above the running program or above
// the working directory.
func Sources() (string, error) {
	if dir := os.Getenv(SourcesVariable); dir != "" {
		return filepath.Abs(dir)
	}
	var starts []string
	if program, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(program))
	}
	if dir, err := os.Getwd(); err == nil {
		starts = append(starts, dir)
	}
	for _, start := range starts {
		if dir, found := findAbove(start); found {
			return dir, nil
		}
	}
	return "", errors.New("cannot find test/cluster of the repository above the program or the working directory: set " + SourcesVariable)
}

func findAbove(dir string) (string, bool) {
	for {
		for _, candidate := range []string{filepath.Join(dir, "test", "cluster"), dir} {
			if exists(filepath.Join(candidate, Kubernetes, "go.mod")) {
				return candidate, true
			}
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}

// CacheDir returns the directory below which binaries and clusters are kept:
// $KUBEFLEDGED_CACHE, else the user's cache directory, each with /kubefledged.
func CacheDir() (string, error) {
	if dir := os.Getenv("KUBEFLEDGED_CACHE"); dir != "" {
		absolute, err := filepath.Abs(dir)
		return filepath.Join(absolute, "kubefledged"), err
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "kubefledged"), err
}
