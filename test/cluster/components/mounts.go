package components

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// Mount is a directory of the node that its components see elsewhere: one of
// the machine or, where there is a Size, an empty file system in memory.
type Mount struct {
	// Source is the directory, and Target where it is seen.
	Source, Target string
	// Size is how many bytes the file system holds.
	Size int64
}

// InMemory is what the argument of a mount begins with that has a size.
const InMemory = "tmpfs:"

// Argument returns the mount as the sandbox's command takes it.
func (m Mount) Argument() string {
	if m.Size > 0 {
		return fmt.Sprintf("%s%d=%s", InMemory, m.Size, m.Target)
	}
	return m.Source + "=" + m.Target
}

// ParseMount is the reverse of Argument.
func ParseMount(argument string) (Mount, error) {
	source, target, found := strings.Cut(argument, "=")
	if !found {
		return Mount{}, fmt.Errorf("mount %q: want SOURCE=TARGET", argument)
	}
	size, inMemory := strings.CutPrefix(source, InMemory)
	if !inMemory {
		return Mount{Source: source, Target: target}, nil
	}
	bytes, err := strconv.ParseInt(size, 10, 64)
	if err != nil || bytes <= 0 {
		return Mount{}, fmt.Errorf("mount %q: want a number of bytes after %s", argument, InMemory)
	}
	return Mount{Target: target, Size: bytes}, nil
}

// RuntimeState and RuntimeRoot are the directories of containerd, as the node
// sees them: what it needs until the next start, and what it keeps. At
// RuntimeEndpoint it speaks CRI.
const (
	RuntimeState    = "/run/containerd"
	RuntimeRoot     = "/var/lib/containerd"
	RuntimeEndpoint = "unix://" + RuntimeState + "/containerd.sock"
)

// Mounts returns what makes a node's file system a node's own: the components
// keep their data where they do on any node, so that pods that mount such a
// directory from their node work unchanged.
func (p Plan) Mounts(node Node) []Mount {
	mounts := []Mount{
		{Source: "run", Target: RuntimeState},
		{Source: "lib-containerd", Target: RuntimeRoot},
		{Source: "lib-kubelet", Target: "/var/lib/kubelet"},
		{Source: "log-pods", Target: "/var/log/pods"},
		{Source: "log-containers", Target: "/var/log/containers"},
	}
	for i := range mounts {
		mounts[i].Source = filepath.Join(p.NodeDir(node.Name), mounts[i].Source)
		if mounts[i].Target == RuntimeRoot && node.ImageDisk > 0 {
			mounts[i].Source, mounts[i].Size = "", node.ImageDisk
		}
	}
	return mounts
}
