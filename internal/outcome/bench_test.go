package outcome_test

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

// BenchmarkRead reads the pod of a Job of ten images with a container each:
// nine were pulled, one was not found.
func BenchmarkRead(b *testing.B) {
	in := input(nil)
	in.Images = nil
	var statuses []corev1.ContainerStatus
	for i := range 10 {
		in.Images = append(in.Images, fmt.Sprintf("registry.example:5000/team/app-%02d:1", i))
		statuses = append(statuses, end(i, 0, "Completed"))
	}
	statuses[3] = wait(3, "ErrImagePull", `failed to resolve reference "registry.example:5000/team/app-03:1": registry.example:5000/team/app-03:1: not found`)
	in.Pod = pod(statuses...)
	b.ReportAllocs()
	for b.Loop() {
		if a := outcome.Read(in); !a.Settled || a.Images[3].Kind != outcome.Failed {
			b.Fatalf("%+v", a)
		}
	}
}
