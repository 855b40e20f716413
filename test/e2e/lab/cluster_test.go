package lab

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// programStub is a cluster whose program only notes how it was called, and
// what was in a file for the kubelet.
func programStub(t *testing.T) (cluster *Cluster, called func() string) {
	t.Helper()
	dir := t.TempDir()
	program, log := filepath.Join(dir, "program"), filepath.Join(dir, "log")
	script := "#!/bin/sh\nexec >" + log + `
echo "$@" | sed 's,/[^ ]*/kubelet.json,FILE,'
for word; do case $word in --kubelet-config=*) cat "${word#*=}" ;; esac; done
`
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return &Cluster{Name: "stub", program: program, log: io.Discard}, func() string {
		content, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
}

func TestCommandsOfFaults(t *testing.T) {
	for want, call := range map[string]func(*Cluster, context.Context) error{
		"kill --name=stub etcd\n":               func(c *Cluster, ctx context.Context) error { return c.Kill(ctx, Etcd) },
		"start --name=stub kubelet/a\n":         func(c *Cluster, ctx context.Context) error { return c.Start(ctx, Kubelet("a")) },
		"start --name=stub containerd/a\n":      func(c *Cluster, ctx context.Context) error { return c.Start(ctx, Containerd("a")) },
		"up --name=stub --nodes=0\n":            (*Cluster).Repair,
		"node --name=stub wipe a\n":             func(c *Cluster, ctx context.Context) error { return c.WipeNode(ctx, "a") },
		"node --name=stub add a --x --y\n":      func(c *Cluster, ctx context.Context) error { return c.AddNode(ctx, "a", "--x", "--y") },
		"node --name=stub remove a\n":           func(c *Cluster, ctx context.Context) error { return c.RemoveNode(ctx, "a") },
		"kill --name=stub kube-apiserver\n":     func(c *Cluster, ctx context.Context) error { return c.Kill(ctx, APIServer) },
		"start --name=stub registry\n":          func(c *Cluster, ctx context.Context) error { return c.Start(ctx, RegistryServer) },
		"exec --name=stub --node=a -- ctr rm\n": func(c *Cluster, ctx context.Context) error { _, err := c.Exec(ctx, "a", "ctr", "rm"); return err },
	} {
		cluster, called := programStub(t)
		if err := call(cluster, t.Context()); err != nil || called() != want {
			t.Errorf("called %q, want %q (%v)", called(), want, err)
		}
	}
}

func TestAddNodeWith(t *testing.T) {
	for name, tc := range map[string]struct {
		options NodeOptions
		want    string
	}{
		"nothing special": {want: "node --name=stub add a --labels= --taints= --image-disk=\n"},
		"all": {
			options: NodeOptions{
				Labels: map[string]string{"b": "2", "a": "1"}, Taints: []string{"x:NoSchedule", "y=1:NoExecute"}, ImageDisk: "400Mi",
				Kubelet: map[string]any{"evictionHard": map[string]string{"imagefs.available": "40%"}},
			},
			want: "node --name=stub add a --labels=a=1,b=2 --taints=x:NoSchedule,y=1:NoExecute --image-disk=400Mi --kubelet-config=FILE\n" +
				`{"evictionHard":{"imagefs.available":"40%"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			cluster, called := programStub(t)
			if err := cluster.AddNodeWith(t.Context(), "a", tc.options); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, called()); diff != "" {
				t.Errorf("called (-want +got):\n%s", diff)
			}
		})
	}
}
