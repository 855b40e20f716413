package jobs_test

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/internal/jobs"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// BenchmarkBuild makes a Job of ten images that share a container.
func BenchmarkBuild(b *testing.B) {
	s := tenTogether()
	b.ReportAllocs()
	for b.Loop() {
		if job := jobs.Build(s, options()); len(job.Spec.Template.Spec.Volumes) != 10 {
			b.Fatal(job.Spec.Template.Spec.Volumes)
		}
	}
}

// BenchmarkParse reads that Job back.
func BenchmarkParse(b *testing.B) {
	job := jobs.Build(tenTogether(), options())
	b.ReportAllocs()
	for b.Loop() {
		if parsed, err := jobs.Parse(job); err != nil || len(parsed.Images) != 10 {
			b.Fatal(parsed.Images, err)
		}
	}
}

func tenTogether() plan.JobSpec {
	var wants []plan.Want
	for i := range 10 {
		name := fmt.Sprintf("registry.example:5000/team/app-%02d:1", i)
		wants = append(wants, want(name, name, corev1.PullIfNotPresent))
	}
	s := spec(plan.MethodImageVolume, wants...)
	s.Together = true
	return s
}
