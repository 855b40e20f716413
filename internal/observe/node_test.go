package observe

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/fixture"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// TestTrimmedNode reads a Node as the informer keeps it.
func TestTrimmedNode(t *testing.T) {
	node := fixture.Node("n", fixture.UnderPressure(corev1.NodeDiskPressure), fixture.Reporting(1, "a:1", "b:1"), fixture.Reporting(1, "<none>@<none>"))
	node.Annotations = map[string]string{
		v1alpha2.AnnotationCRISocket: "unix:///run/a.sock", "volumes.kubernetes.io/controller-managed-attach-detach": "true",
	}
	if _, err := Trim(node); err != nil {
		t.Fatal(err)
	}
	if len(node.Annotations) != 1 {
		t.Errorf("the informer keeps %v", node.Annotations)
	}
	got := Node(node, Forced{})
	if got.Socket != "/run/a.sock" || got.BootID != "boot-n" || got.Listed != 2 || !got.DiskPressure || got.Method != plan.MethodImageVolume {
		t.Errorf("got %+v", got)
	}
	if got := Node(node, Forced{Socket: "/run/f.sock", Method: plan.MethodExec}); got.Socket != "/run/f.sock" || got.Method != plan.MethodExec {
		t.Errorf("forced: got %+v", got)
	}
	if got := NodeBrief(node); got.Unavailable != v1alpha2.WaitingDiskPressure || got.Reported != nil {
		t.Errorf("in brief: got %+v", got)
	}
}

func TestNodeAtEase(t *testing.T) {
	node := fixture.Node("n")
	node.Annotations = map[string]string{"other": "x"}
	if _, err := Trim(node); err != nil {
		t.Fatal(err)
	}
	got := Node(node, Forced{})
	if got.Socket != "/run/containerd/containerd.sock" || got.DiskPressure || got.Listed != 0 || node.Annotations != nil {
		t.Errorf("got %+v", got)
	}
}
