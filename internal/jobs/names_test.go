package jobs_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubefledged/kubefledged-operator/internal/jobs"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

func TestName(t *testing.T) {
	for cache, head := range map[string]string{
		"frontend": "frontend", "a.b.c": "a-b-c", longName(): "a-b-c-cache-of-a-team-cache-of-a-team-c",
		strings.Repeat("x", 39) + ".y": strings.Repeat("x", 39), strings.Repeat("x", 40) + "-y": strings.Repeat("x", 40),
		"": "imagecache", "...": "imagecache", "Ünï": "n", "UPPER": "upper",
	} {
		got := jobs.Name(cache, "uid", jobs.OperationPull, 1)
		if got[:len(got)-11] != head || len(validation.IsDNS1123Label(got+"-abcde")) > 0 {
			t.Errorf("Name(%q) = %q, want head %q", cache, got, head)
		}
	}
	for _, method := range []plan.Method{plan.MethodImageVolume, plan.MethodExec} {
		s := longNames()
		s.Node.Method = method
		checkNames(t, jobs.Pull(s, options()))
	}
}

// Each of the three parts makes another name, and parts do not run together.
func TestNamesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, uid := range []types.UID{"u", "u1", "u\x001"} {
		for _, operation := range []string{"pull", "pull1"} {
			for _, sequence := range []int64{1, 11, -1} {
				name := jobs.Name("c", uid, operation, sequence)
				if seen[name] {
					t.Errorf("%q, %s, %d: name %s was given before", uid, operation, sequence, name)
				}
				seen[name] = true
			}
		}
	}
	if !seen[jobs.Name("c", "u", "pull", 1)] {
		t.Error("the same Job got two names")
	}
}

func TestLabelValue(t *testing.T) {
	for in, want := range map[string]string{
		"frontend": "frontend", "a.b": "a.b", "": "", strings.Repeat("x", 63): strings.Repeat("x", 63),
	} {
		if got := jobs.LabelValue(in); got != want {
			t.Errorf("LabelValue(%q) = %q", in, got)
		}
	}
	for _, in := range []string{longName(), longName() + "z", strings.Repeat("x", 64), strings.Repeat("x", 51) + "...." + strings.Repeat("y", 20), "-", "é"} {
		got := jobs.LabelValue(in)
		if len(validation.IsValidLabelValue(got)) > 0 || got == jobs.LabelValue(in+"z") {
			t.Errorf("LabelValue(%q) = %q", in, got)
		}
	}
}
