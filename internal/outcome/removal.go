package outcome

import (
	"cmp"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/cri"
)

// ReadRemoval returns what is known of a Job that removes images: what its
// helper reported, else why its pod does not get that far. A removal that left
// no report is NotTried when it was ended from outside; whoever repeats it finds
// out what was removed.
func ReadRemoval(in Input) Attempt {
	r := newReader(in)
	// The kubelet's events tell of the helper image only, even where it is also
	// one of those to be removed.
	clear(r.images)
	if in.Pod == nil {
		r.withoutPod(Image{Kind: NotTried})
	} else {
		r.readRemovalPod()
	}
	return r.attempt()
}

// readRemovalPod reads the report first: what a helper has done it has done,
// whatever became of its pod.
func (r *reader) readRemovalPod() {
	r.readStart()
	status := statusOf(r.Pod.Status.ContainerStatuses, RemovalContainerName)
	if status != nil {
		r.readRemover(status)
	}
	atWork := status != nil && status.State.Running != nil && !r.podEnded()
	if atWork || !r.undecided() {
		return
	}
	if r.out.Refused = r.refusal(); r.out.Refused != nil {
		r.keepOnlyProofs()
		return
	}
	r.blameHelper()
	r.readProgress()
}

func (r *reader) readRemover(status *corev1.ContainerStatus) {
	switch end, waiting := status.State.Terminated, status.State.Waiting; {
	case terminated(end):
		r.readReport(end)
	case waiting == nil:
	case stageOf(waiting.Reason, waiting.Message) == beforePull:
	case stageOf(waiting.Reason, waiting.Message) != pullFailed:
		r.stuck = waiting.Message // it has its image and does not start
	case r.heldBack(waiting):
		r.fillUndecided(Image{Kind: NotTried})
	default:
		r.helperFailure = r.told(waiting, r.helper)
	}
}

// readReport reads the termination message of the helper. One that was ended
// together with its pod has none, and may have done a part of its work: the
// pod's own reason tells why, or nothing does.
func (r *reader) readReport(end *corev1.ContainerStateTerminated) {
	report, err := cri.ParseReport(end.Message, r.Images)
	switch {
	case err == nil:
		for i, result := range report.Images {
			r.out.Images[i] = removed(result)
		}
	case r.Pod.Status.Reason != "":
	case r.Pod.DeletionTimestamp != nil:
		r.fillUndecided(Image{Kind: NotTried})
	default:
		r.fillUndecided(fail(v1alpha2.ReasonImageRemovalFailed, noReport(end)))
	}
}

func noReport(end *corev1.ContainerStateTerminated) string {
	message := fmt.Sprintf("the container that removes images ended without a report, with exit code %d (%s)", end.ExitCode, end.Reason)
	if end.Message != "" {
		message += ": " + end.Message
	}
	return message
}

// removed returns the outcome of one image that the helper reports. Its words
// are missing where they did not fit into the report.
func removed(image cri.ImageResult) Image {
	message := image.Message
	switch image.Result {
	case cri.Removed, cri.Absent:
		return Image{Kind: Removed}
	case cri.Shared:
		message = cmp.Or(message, "the same image has another name that stays")
		return Image{Kind: Kept, Reason: v1alpha2.ReasonImageShared, Message: cleanCause(message)}
	case cri.InUse:
		return fail(v1alpha2.ReasonImageInUse, cmp.Or(message, "a pod on the node uses it"))
	case cri.Pinned:
		return fail(v1alpha2.ReasonImagePinned, cmp.Or(message, "the node's container runtime has it pinned"))
	default: // Failed, and what a newer helper may say
		return fail(v1alpha2.ReasonImageRemovalFailed, cmp.Or(message, "the container runtime did not remove it"))
	}
}
