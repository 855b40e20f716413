package components

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAnImageDiskTakesTheRuntimesRoot(t *testing.T) {
	t.Parallel()
	node := Node{Name: "small", ImageDisk: 400 << 20}
	plan := testPlan()
	disks := map[string]int64{}
	for _, mount := range plan.Mounts(node) {
		disks[mount.Target] = mount.Size
	}
	want := map[string]int64{
		"/run/containerd": 0, "/var/lib/containerd": 419430400, "/var/lib/kubelet": 0, "/var/log/pods": 0, "/var/log/containers": 0,
	}
	if diff := cmp.Diff(want, disks); diff != "" {
		t.Errorf("sizes (-want +got):\n%s", diff)
	}
	sandbox := plan.sandbox(node)
	if !slices.Contains(sandbox.Command, "tmpfs:419430400=/var/lib/containerd") {
		t.Errorf("command %q", sandbox.Command)
	}
	if slices.Contains(sandbox.Dirs, "") || !slices.Contains(sandbox.Dirs, "/var/lib/containerd") {
		t.Errorf("directories %q", sandbox.Dirs)
	}
	if slices.ContainsFunc(plan.sandbox(Node{Name: "a"}).Command, func(word string) bool { return strings.HasPrefix(word, InMemory) }) {
		t.Error("a node that asks for no disk has one")
	}
}

func TestMountsSurviveTheCommandLine(t *testing.T) {
	t.Parallel()
	for _, mount := range []Mount{{Source: "/a", Target: "/b"}, {Target: "/c", Size: 1 << 20}} {
		if parsed, err := ParseMount(mount.Argument()); err != nil || parsed != mount {
			t.Errorf("%+v becomes %+v (%v)", mount, parsed, err)
		}
	}
	for _, wrong := range []string{"/a", "tmpfs:many=/c", "tmpfs:=/c", "tmpfs:0=/c"} {
		if parsed, err := ParseMount(wrong); err == nil {
			t.Errorf("%q is accepted as %+v", wrong, parsed)
		}
	}
}
