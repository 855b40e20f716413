package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubefledged/kubefledged-operator/test/cluster/components"
)

func TestNodeFlags(t *testing.T) {
	t.Parallel()
	kubelet := filepath.Join(t.TempDir(), "kubelet.yaml")
	if err := os.WriteFile(kubelet, []byte("evictionHard: {imagefs.available: 40%}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := nodeFlags{labels: "a=b", taints: "c:NoSchedule", kubelet: kubelet, imageDisk: "400Mi"}.node("small")
	want := components.Node{
		Name:      "small",
		Labels:    map[string]string{"a": "b"},
		Taints:    []string{"c:NoSchedule"},
		Kubelet:   map[string]any{"evictionHard": map[string]any{"imagefs.available": "40%"}},
		ImageDisk: 400 << 20,
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v, node (-want +got):\n%s", err, diff)
	}
	for _, disk := range []string{"1Mi", "0", "much", "-1Gi"} {
		if _, err := (nodeFlags{imageDisk: disk}).node("small"); err == nil {
			t.Errorf("an image disk of %q is accepted", disk)
		}
	}
}
