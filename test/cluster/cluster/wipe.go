//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubefledged/kubefledged-operator/test/cluster/cgroups"
	"github.com/kubefledged/kubefledged-operator/test/cluster/components"
)

// WipeNode takes everything from the node's runtime, as a node has it that was
// set up anew under its old name: containers are killed, images and containers
// forgotten, and containerd starts on empty directories. The kubelet runs on, or
// not, as before, and the Node object stays.
func (c *Cluster) WipeNode(ctx context.Context, name string) error {
	return c.change(ctx, func(r *running) error {
		node := r.state.node(name)
		if node == nil {
			return fmt.Errorf("there is no node %s: want one of %s", name, r.state.nodeNames())
		}
		containerd, err := r.component(components.OnNode(components.Containerd, name))
		if err != nil {
			return err
		}
		if err := r.endRuntime(*node, containerd); err != nil {
			return err
		}
		// In the node's mount namespace: there, and only there, is the disk that
		// it may have for its images.
		if err := r.supervisor.In(containerd, emptyRuntime); err != nil {
			return fmt.Errorf("wiping node %s: %w", name, err)
		}
		// Nobody gives back the addresses of pods that no runtime knows.
		if err := os.RemoveAll(r.plan.AddressDir(name)); err != nil {
			return err
		}
		return r.ensureComponent(ctx, containerd)
	})
}

// endRuntime kills containerd, its shims and all containers.
func (r *running) endRuntime(node components.Node, containerd components.Component) error {
	if err := r.supervisor.Stop(containerd.Name, 0); err != nil {
		return err
	}
	if err := r.supervisor.SweepComponent(containerd.Name); err != nil {
		return err
	}
	return cgroups.Kill(r.plan.NodeCgroup(node.Name), killWait)
}

// emptyRuntime empties the directories of containerd in this thread's mount
// namespace. Containers leave mounts in them.
func emptyRuntime() error {
	table, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		return err
	}
	for _, dir := range []string{components.RuntimeState, components.RuntimeRoot} {
		// What was mounted last, and maybe on top of others, goes first.
		for _, mount := range slices.Backward(mountsBelow(string(table), dir)) {
			if err := unix.Unmount(mount, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
				return fmt.Errorf("unmounting %s: %w", mount, err)
			}
		}
		if err := emptyDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// mountsBelow returns the mount points below the directory, itself not among
// them, in the order of a table as /proc has it.
func mountsBelow(table, dir string) []string {
	var found []string
	for line := range strings.Lines(table) {
		if words := strings.Fields(line); len(words) > 4 && strings.HasPrefix(words[4], dir+"/") {
			found = append(found, words[4])
		}
	}
	return found
}

// emptyDir removes what is in the directory, but not the directory: something is
// mounted on it.
func emptyDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, entry := range entries {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, entry.Name())))
	}
	return errors.Join(errs...)
}
