package lab

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Traces are things of this machine that a cluster may leave behind: mounts,
// network namespaces and devices, cgroups.
type Traces []string

// marker is what the names of every local cluster's things begin with.
var marker = regexp.MustCompile(`kubefledged-[0-9a-f]{8}`)

// FindTraces lists them for the whole machine.
func FindTraces() (Traces, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var traces Traces
	for line := range strings.Lines(string(mounts)) {
		// The mount point is the fifth word; the numbers before it vary.
		if words := strings.Fields(line); len(words) > 4 {
			traces = append(traces, "mount "+words[4])
		}
	}
	for _, dir := range []string{"/run/netns", "/sys/class/net"} {
		entries, _ := os.ReadDir(dir) // absent on a machine without either
		for _, entry := range entries {
			traces = append(traces, filepath.Join(dir, entry.Name()))
		}
	}
	return append(traces, cgroupDirs()...), nil
}

func cgroupDirs() []string {
	var dirs []string
	// A cgroup that goes away while we walk is no trace.
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, "cgroup "+path)
		}
		return nil
	})
	return dirs
}

// LeftBy returns what is there now, was not before, and is not of another
// local cluster that was started meanwhile.
func (c *Cluster) LeftBy(before Traces) ([]string, error) {
	now, err := FindTraces()
	if err != nil {
		return nil, err
	}
	var left []string
	for _, trace := range now {
		if !slices.Contains(before, trace) && c.mayOwn(trace) {
			left = append(left, trace)
		}
	}
	return append(left, c.processes()...), nil
}

// mayOwn tells whether a trace can be of this cluster. All cgroups of a cluster
// lie below one of its name; others come and go on any machine.
func (c *Cluster) mayOwn(trace string) bool {
	name := marker.FindString(trace)
	return name == c.Prefix || name == "" && !strings.HasPrefix(trace, "cgroup ")
}

// processes returns those that are in the cluster's cgroups or were started
// with a path of its directory.
func (c *Cluster) processes() []string {
	var found []string
	entries, _ := filepath.Glob("/proc/[0-9]*")
	for _, entry := range entries {
		command, _ := os.ReadFile(filepath.Join(entry, "cmdline")) // gone meanwhile
		cgroup, _ := os.ReadFile(filepath.Join(entry, "cgroup"))
		if len(command) == 0 {
			continue // it has ended and waits for its parent
		}
		line := strings.ReplaceAll(string(command), "\x00", " ")
		if strings.Contains(string(cgroup), c.Prefix) || strings.Contains(line, c.Dir+"/") {
			found = append(found, "process "+filepath.Base(entry)+" "+line)
		}
	}
	return found
}
