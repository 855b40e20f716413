//go:build linux

package cluster

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMountsBelow(t *testing.T) {
	t.Parallel()
	const table = `21 1 254:0 / / rw,relatime - ext4 /dev/vda rw
90 21 254:0 /nodes/a/run /run/containerd rw - ext4 /dev/vda rw
91 21 0:50 / /run/containerd-other rw - tmpfs tmpfs rw
92 90 0:51 / /run/containerd/io.containerd.runtime.v2.task/k8s.io/1/rootfs rw - overlay overlay rw
93 90 0:4 net:[1] /run/containerd/netns/cni-1 rw - nsfs nsfs rw
`
	want := []string{"/run/containerd/io.containerd.runtime.v2.task/k8s.io/1/rootfs", "/run/containerd/netns/cni-1"}
	if diff := cmp.Diff(want, mountsBelow(table, "/run/containerd")); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
}

func TestEmptyDir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "c"), nil, 0o400); err != nil {
		t.Fatal(err)
	}
	if err := emptyDir(dir); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, error %v", left, err)
	}
}
