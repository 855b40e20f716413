// Package cgroups keeps all processes of a cluster below one cgroup in every
// hierarchy of the machine, version 1, version 2 or both at once, so that they
// can be found and removed whatever became of their parents.
package cgroups

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// hierarchy is one mounted cgroup file system.
type hierarchy struct {
	mount   string
	version int
}

// hierarchies returns the mounted hierarchies. On a hybrid machine that are
// those of version 1 and the one of version 2.
func hierarchies() ([]hierarchy, error) {
	content, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	var found []hierarchy
	lines := bufio.NewScanner(bytes.NewReader(content))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		switch fields[2] {
		case "cgroup":
			found = append(found, hierarchy{fields[1], 1})
		case "cgroup2":
			found = append(found, hierarchy{fields[1], 2})
		}
	}
	if len(found) == 0 {
		return nil, errors.New("no cgroup file system is mounted")
	}
	return found, lines.Err()
}

// Ensure makes the cgroup, a path such as /name/child, in every hierarchy. Its
// parents get every controller of version 2, so that pods can have limits.
func Ensure(path string) error {
	found, err := hierarchies()
	if err != nil {
		return err
	}
	for _, hierarchy := range found {
		if err := hierarchy.ensure(path); err != nil {
			return fmt.Errorf("cgroup %s: %w", path, err)
		}
	}
	return nil
}

func (h hierarchy) ensure(path string) error {
	dir := h.mount
	for _, part := range strings.Split(strings.Trim(path, "/"), "/") {
		parent := dir
		if h.version == 2 {
			if err := enableControllers(parent); err != nil {
				return err
			}
		}
		dir = filepath.Join(dir, part)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := copyCPUSet(parent, dir); err != nil {
			return err
		}
	}
	return nil
}

// enableControllers passes all controllers of dir on to its children. On a
// hybrid machine there are none to pass on.
func enableControllers(dir string) error {
	content, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for _, controller := range strings.Fields(string(content)) {
		// One that cannot be enabled (cpu with real-time processes around)
		// leaves the others usable.
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
	}
	return nil
}

// copyCPUSet gives a new cpuset of version 1 its parent's processors: it
// starts with none, and refuses processes until it has some.
func copyCPUSet(parent, dir string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		current, err := os.ReadFile(filepath.Join(dir, file))
		if errors.Is(err, fs.ErrNotExist) || len(bytes.TrimSpace(current)) > 0 {
			continue
		}
		inherited, err := os.ReadFile(filepath.Join(parent, file))
		if err != nil || len(bytes.TrimSpace(inherited)) == 0 {
			continue // Version 2: empty means the parent's.
		}
		if err := os.WriteFile(filepath.Join(dir, file), inherited, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Add moves the process into the cgroup in every hierarchy.
func Add(path string, pid int) error {
	found, err := hierarchies()
	if err != nil {
		return err
	}
	for _, hierarchy := range found {
		file := filepath.Join(hierarchy.mount, path, "cgroup.procs")
		if err := os.WriteFile(file, []byte(strconv.Itoa(pid)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Processes returns the processes in the cgroup and below it.
func Processes(path string) ([]int, error) {
	found, err := hierarchies()
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, hierarchy := range found {
		for _, dir := range tree(filepath.Join(hierarchy.mount, path)) {
			content, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
			if err != nil {
				continue // Gone meanwhile.
			}
			for _, line := range strings.Fields(string(content)) {
				if pid, err := strconv.Atoi(line); err == nil && pid > 0 {
					pids = append(pids, pid)
				}
			}
		}
	}
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

// Kill kills every process in the cgroup and below it, and waits up to the
// given time until none is left.
func Kill(path string, wait time.Duration) error {
	deadline := time.Now().Add(wait)
	for {
		pids, err := Processes(path)
		if err != nil || len(pids) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v in cgroup %s do not end", pids, path)
		}
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Remove removes the cgroup and those below it from every hierarchy. It waits
// a moment for the kernel to notice that their last processes are gone.
func Remove(path string) error {
	found, err := hierarchies()
	if err != nil {
		return err
	}
	var errs []error
	for _, hierarchy := range found {
		dirs := tree(filepath.Join(hierarchy.mount, path))
		slices.Reverse(dirs)
		for _, dir := range dirs {
			errs = append(errs, removeDir(dir))
		}
	}
	return errors.Join(errs...)
}

func removeDir(dir string) error {
	var err error
	for range 50 {
		err = unix.Rmdir(dir)
		if err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("removing cgroup %s: %w", dir, err)
}

// tree returns dir and the directories below it, parents first; none when dir
// does not exist.
func tree(dir string) []string {
	var dirs []string
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	return dirs
}
