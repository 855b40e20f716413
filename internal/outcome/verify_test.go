package outcome_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

const never = "ErrImageNeverPull"

// missingWords are the kubelet's for an image that it may not pull.
func missingWords(image string) string {
	return `Container image "` + image + `" is not present with pull policy of Never`
}

func absent(image string) outcome.Image {
	return outcome.Image{Kind: outcome.Absent, Message: missingWords(image)}
}

func verify(in outcome.Input) outcome.Input {
	in.Verify = true
	return in
}

func TestVerify(t *testing.T) {
	both := input(pod(wait(0, never, missingWords("web:1")), wait(1, never, missingWords(db))))
	helperGone := helperFailed(missingWords(helper))
	drained := ended(pod(wait(0, never, missingWords("web:1")), end(1, 0, "Completed")), corev1.PodFailed, "Evicted", "disk")
	broken := withEvents(input(pod(wait(0, "ImageInspectError", `Failed to inspect image "": odd`), end(1, 0, "Completed"))))
	checkRead(t, []readCase{
		{"both there", verify(input(pod(end(0, 0, "Completed"), end(1, 0, "Completed")))), settled(pulled, pulled)},
		{"one there", verify(input(pod(wait(0, never, missingWords("web:1")), end(1, 0, "Completed")))), settled(absent("web:1"), pulled)},
		{"none there", verify(both), settled(absent("web:1"), absent(db))},
		{"one is not looked at yet", verify(input(pod(wait(0, never, missingWords("web:1")), wait(1, "ContainerCreating", "")))),
			open(absent("web:1"), undecided)},
		{"the helper is not there", verify(input(pod(wait(0, never, missingWords(helper)), end(1, 0, "Completed")))), settled(helperGone, pulled)},
		{"the runtime does not answer", verify(broken), settled(failed(v1alpha2.ReasonImagePullFailed, `Failed to inspect image "": odd`), pulled)},
		{"evicted: the next one will tell", verify(input(drained)), refused("Evicted", "disk", notTried, pulled)},
		{"a pull does not vanish", both, settled(failed(v1alpha2.ReasonImagePullFailed, missingWords("web:1")), failed(v1alpha2.ReasonImagePullFailed, missingWords(db)))},
	})
}

// One container that lacks an image names that one, and tells nothing of the others.
func TestVerifyTogether(t *testing.T) {
	const odd = "rpc error: code = Unknown desc = something went wrong"
	checkRead(t, []readCase{
		{"all there", verify(together(end(0, 0, "Completed"))), settled(pulled, pulled)},
		{"the first is not", verify(together(wait(0, never, missingWords("web:1")))), settled(absent("web:1"), notTried)},
		{"the second is not", verify(together(wait(0, never, missingWords(db)))), settled(notTried, absent(db))},
		{"the helper is not", verify(together(wait(0, never, missingWords(helper)))),
			settled(helperFailed(missingWords(helper)), helperFailed(missingWords(helper)))},
		{"nobody is named", withEvents(verify(together(wait(0, "ErrImagePull", odd)))),
			settled(failed(v1alpha2.ReasonImagePullFailed, odd), failed(v1alpha2.ReasonImagePullFailed, odd))},
	})
}

func TestVerifyByExec(t *testing.T) {
	in := input(pod(wait(0, never, missingWords("web:1")), end(1, 0, "Completed")))
	in.ExecMethod = true
	gone := execInput(wait(0, never, missingWords(helper)), wait(0, "PodInitializing", ""), wait(1, "PodInitializing", ""))
	checkRead(t, []readCase{
		{"one there", verify(in), settled(absent("web:1"), pulled)},
		{"the helper is not", verify(gone), settled(helperFailed(missingWords(helper)), helperFailed(missingWords(helper)))},
	})
}
