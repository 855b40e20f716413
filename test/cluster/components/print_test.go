package components

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubefledged/kubefledged-operator/test/cluster/network"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func testPlan(nodes ...Node) Plan {
	return Plan{
		State:      "/state",
		Self:       "/bin/localcluster",
		Kubernetes: "/kubernetes",
		Containerd: "/containerd",
		CNI:        "/cni",
		Names:      network.Names{Prefix: "kubefledged-test"},
		Ports:      Ports{API: 20000, Registry: 20001, RegistryAdmin: 20002, RegistryTLS: 20003},
		Nodes:      nodes,
	}
}

func TestPrintIsGolden(t *testing.T) {
	t.Parallel()
	plan := testPlan(
		Node{Name: "worker1"},
		Node{
			Name:    "gpu.example.com",
			Index:   1,
			Labels:  map[string]string{"disk": "ssd", "kubernetes.io/role": "gpu"},
			Taints:  []string{"gpu=yes:NoSchedule"},
			Kubelet: map[string]any{"serializeImagePulls": false, "evictionHard": map[string]any{"nodefs.available": "5%"}},
		},
	)
	ordered, err := Order(plan.All())
	if err != nil {
		t.Fatal(err)
	}
	var printed bytes.Buffer
	if err := Print(&printed, ordered); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "up.golden")
	if *update {
		if err := os.WriteFile(golden, printed.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), printed.String()); diff != "" {
		t.Errorf("go test ./components -update accepts what changed (-want +got):\n%s", diff)
	}
}
