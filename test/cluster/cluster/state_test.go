//go:build linux

package cluster

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubefledged/kubefledged-operator/test/cluster/components"
	"github.com/kubefledged/kubefledged-operator/test/cluster/network"
)

func TestParseNodeLabels(t *testing.T) {
	t.Parallel()
	got, err := ParseNodeLabels([]string{"worker1=zone=a,disk=ssd", "worker2=zone=b", "worker1=empty="})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]string{
		"worker1": {"zone": "a", "disk": "ssd", "empty": ""},
		"worker2": {"zone": "b"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	for _, wrong := range []string{"worker1", "=a=b", "worker1=zone"} {
		if _, err := ParseNodeLabels([]string{wrong}); err == nil {
			t.Errorf("%q is accepted", wrong)
		}
	}
}

func TestParseTaints(t *testing.T) {
	t.Parallel()
	got, err := ParseTaints("gpu=yes:NoSchedule,old:NoExecute")
	if diff := cmp.Diff([]string{"gpu=yes:NoSchedule", "old:NoExecute"}, got); err != nil || diff != "" {
		t.Errorf("error %v, taints (-want +got):\n%s", err, diff)
	}
	for _, wrong := range []string{"gpu", "gpu=yes", ":NoSchedule", "gpu:Never"} {
		if _, err := ParseTaints(wrong); err == nil {
			t.Errorf("%q is accepted", wrong)
		}
	}
}

func TestParseFlags(t *testing.T) {
	t.Parallel()
	got, err := ParseFlags([]string{"kube-controller-manager=--kube-api-qps=100", "etcd=--a=b=c", "kube-controller-manager=--v=2"})
	want := map[string][]string{"kube-controller-manager": {"--kube-api-qps=100", "--v=2"}, "etcd": {"--a=b=c"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v, flags (-want +got):\n%s", err, diff)
	}
	for _, wrong := range []string{"etcd", "--v=2", "=--v=2", "etcd=v=2"} {
		if _, err := ParseFlags([]string{wrong}); err == nil {
			t.Errorf("%q is accepted", wrong)
		}
	}
}

func TestNodeNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(strings.Repeat("n", 62)+".", 4)
	for name, allowed := range map[string]bool{
		"worker1":             true,
		"ip-10-0-0-1.example": true,
		long + "n":            true,
		long + "nn":           false,
		"Worker":              false,
		"a_b":                 false,
		"-a":                  false,
		"a..b":                false,
		"../etc":              false,
		"":                    false,
	} {
		var s state
		if err := s.add(components.Node{Name: name}); (err == nil) != allowed {
			t.Errorf("node name %q: error %v, want allowed %t", name, err, allowed)
		}
	}
}

func TestEnsureNodes(t *testing.T) {
	t.Parallel()
	var s state
	for _, name := range []string{"worker2", "other"} {
		if err := s.add(components.Node{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	labels := map[string]map[string]string{"worker1": {"zone": "a"}}
	if err := s.ensureNodes(4, labels); err != nil {
		t.Fatal(err)
	}
	want := []components.Node{
		{Name: "worker2", Index: 0},
		{Name: "other", Index: 1},
		{Name: "worker1", Index: 2, Labels: map[string]string{"zone": "a"}},
		{Name: "worker3", Index: 3},
	}
	if diff := cmp.Diff(want, s.Nodes); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	if err := s.ensureNodes(1, nil); err != nil || len(s.Nodes) != 4 {
		t.Errorf("asking for fewer nodes: error %v, %d nodes", err, len(s.Nodes))
	}
	if err := s.ensureNodes(0, map[string]map[string]string{"nobody": {}}); err == nil {
		t.Error("labels for an unknown node are accepted")
	}
}

func TestIndexesAreFreeAgainAfterRemoval(t *testing.T) {
	t.Parallel()
	var s state
	if err := s.ensureNodes(3, nil); err != nil {
		t.Fatal(err)
	}
	s.remove("worker2")
	if err := s.add(components.Node{Name: "next"}); err != nil || s.node("next").Index != 1 {
		t.Errorf("error %v, node %+v", err, s.node("next"))
	}
	if err := s.ensureNodes(network.MaxNodes+1, nil); err == nil {
		t.Error("more nodes than addresses are accepted")
	}
}

func TestStateSurvives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := readState(dir); !errors.Is(err, errNotUp) {
		t.Errorf("error %v of a cluster that was never up", err)
	}
	written := state{
		Name:  "x",
		Ports: components.Ports{API: 1, Registry: 2, RegistryAdmin: 3, RegistryTLS: 4},
		Nodes: []components.Node{{Name: "a", Kubelet: map[string]any{"maxPods": 3.0}, Taints: []string{"a:NoSchedule"}, ImageDisk: 64 << 20}},
	}
	if err := written.write(dir); err != nil {
		t.Fatal(err)
	}
	read, err := readState(dir)
	if diff := cmp.Diff(written, read); err != nil || diff != "" {
		t.Errorf("error %v, state (-want +got):\n%s", err, diff)
	}
}

func TestPortsAreStableAndDistinct(t *testing.T) {
	t.Parallel()
	one, err := choosePorts("/some/dir")
	if err != nil {
		t.Fatal(err)
	}
	again, err := choosePorts("/some/dir")
	if err != nil || one != again {
		t.Errorf("ports %+v, then %+v (%v)", one, again, err)
	}
	distinct := map[int]bool{one.API: true, one.Registry: true, one.RegistryAdmin: true, one.RegistryTLS: true}
	if len(distinct) != 4 {
		t.Errorf("ports %+v", one)
	}
}

func TestAddonsHavePaths(t *testing.T) {
	t.Parallel()
	for document := range strings.SplitSeq(string(addons), "\n---\n") {
		path, err := objectPath([]byte(document))
		if err != nil || strings.HasSuffix(path, "/") {
			t.Errorf("path %q, error %v of\n%s", path, err, document)
		}
	}
}

func TestClusterNames(t *testing.T) {
	t.Parallel()
	for name, allowed := range map[string]bool{"kubefledged": true, "a": true, "": false, "../x": false, "A": false, "a-": false} {
		if _, err := New(name, nil); (err == nil) != allowed {
			t.Errorf("cluster name %q: error %v, want allowed %t", name, err, allowed)
		}
	}
}
