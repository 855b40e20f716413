package outcome_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

// all returns a status of the container that stands for all images.
func all(status corev1.ContainerStatus) corev1.ContainerStatus {
	status.Name = outcome.TogetherContainerName
	return status
}

func together(status corev1.ContainerStatus) outcome.Input {
	in := input(pod(all(status)))
	in.Together = true
	return in
}

func TestTogether(t *testing.T) {
	const notFound = `rpc error: code = NotFound desc = failed to pull and unpack image "registry.example:5000/team/db:2": failed to resolve reference "registry.example:5000/team/db:2": registry.example:5000/team/db:2: not found`
	const nameless = "rpc error: code = Unknown desc = something went wrong"
	const helperGone = `rpc error: code = NotFound desc = failed to resolve reference "` + helper + `": ` + helper + `: not found`
	missing := failed(v1alpha2.ReasonImageNotFound, notFound)
	checkRead(t, []readCase{
		{"one start proves all", together(end(0, 0, "Completed")), settled(pulled, pulled)},
		{"a later failure proves all", together(wait(0, "CreateContainerError", "no such mount")), settled(pulled, pulled)},
		{"nothing yet", together(wait(0, "ContainerCreating", "")), open(undecided, undecided)},
		{"the named image failed", together(wait(0, "ErrImagePull", notFound)), settled(notTried, missing)},
		{"the helper failed", together(wait(0, "ErrImagePull", helperGone)), settled(
			failed(v1alpha2.ReasonHelperImageUnavailable, helperGone), failed(v1alpha2.ReasonHelperImageUnavailable, helperGone))},
		{"held back", together(wait(0, "ErrImagePull", "pull QPS exceeded")), settled(notTried, notTried)},
		{"nobody is named", together(wait(0, "ErrImagePull", nameless)), needsEvents(undecided, undecided)},
		{"an event names it", withEvents(together(wait(0, "ErrImagePull", nameless)),
			warning(3, "Failed", `Failed to pull image "`+web+`": `+nameless)),
			settled(failed(v1alpha2.ReasonImagePullFailed, nameless), notTried)},
		{"not even an event", withEvents(together(wait(0, "ErrImagePull", nameless))), settled(
			failed(v1alpha2.ReasonImagePullFailed, nameless), failed(v1alpha2.ReasonImagePullFailed, nameless))},
	})
}
