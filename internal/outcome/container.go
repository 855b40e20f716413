package outcome

import (
	"fmt"
	"regexp"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// statusUnknown is the termination reason that the kubelet gives, when a pod
// ends, to each container it has no termination of, whether it ever ran or not
// (KUBE/pkg/kubelet/status/status_manager.go, TerminatePod).
const statusUnknown = "ContainerStatusUnknown"

func (r *reader) readContainers() {
	if r.Together {
		r.readTogether()
		return
	}
	for i := range r.out.Images {
		if status := statusOf(r.Pod.Status.ContainerStatuses, ContainerName(i)); status != nil {
			r.readContainer(i, status)
		}
	}
}

func statusOf(statuses []corev1.ContainerStatus, name string) *corev1.ContainerStatus {
	for i := range statuses {
		if statuses[i].Name == name {
			return &statuses[i]
		}
	}
	return nil
}

func (r *reader) readContainer(i int, status *corev1.ContainerStatus) {
	waiting := status.State.Waiting
	if waiting == nil {
		waiting = &corev1.ContainerStateWaiting{}
	}
	switch step := stageOf(waiting.Reason, waiting.Message); {
	case created(status), step == afterPull, step == configFailed && r.ExecMethod:
		r.out.Images[i] = Image{Kind: Pulled, Digest: r.digest(status)}
	case step == configFailed:
		r.stuck = waiting.Message
	case step == pullFailed:
		r.readFailure(i, waiting)
	}
}

// created tells whether the runtime has, or had, the container: then its image
// and its image volumes are on the node, whatever became of it.
func created(s *corev1.ContainerStatus) bool {
	return s.ContainerID != "" || s.State.Running != nil ||
		terminated(s.State.Terminated) || terminated(s.LastTerminationState.Terminated)
}

func terminated(t *corev1.ContainerStateTerminated) bool {
	return t != nil && (t.Reason != statusUnknown || t.ContainerID != "")
}

var repoDigest = regexp.MustCompile(`@(sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128}))$`)

// digest returns the digest of a container's image. A mounted image has none
// here: imageID is then the helper's. An imageID without a repository is the
// id of the image's configuration, no digest.
func (r *reader) digest(status *corev1.ContainerStatus) string {
	if !r.ExecMethod {
		return ""
	}
	if m := repoDigest.FindStringSubmatch(status.ImageID); m != nil {
		return m[1]
	}
	return ""
}

// readFailure notes that the container of image i has no image to run from or
// to mount: its own, or the helper.
func (r *reader) readFailure(i int, waiting *corev1.ContainerStateWaiting) {
	if r.heldBack(waiting) {
		r.out.Images[i] = Image{Kind: NotTried}
		return
	}
	switch r.culprit(i, waiting.Message) {
	case ownImage:
		r.failImage(i, waiting)
	case helperImage:
		r.helperFailure = r.told(waiting, r.helper)
	}
}

func (r *reader) heldBack(waiting *corev1.ContainerStateWaiting) bool {
	_, cause := unwrap(waiting.Reason, waiting.Message)
	return heldBack(cause, r.Pod.DeletionTimestamp != nil)
}

// failImage records the pull failure of image i.
func (r *reader) failImage(i int, waiting *corev1.ContainerStateWaiting) {
	r.out.Images[i] = r.failureOf(i, waiting)
}

// neverPull is the waiting reason of a container whose image, or image volume,
// is not on the node and may not be pulled (KUBE/pkg/kubelet/images/types.go).
const neverPull = "ErrImageNeverPull"

// failureOf classifies the pull failure of image i. A verification that finds
// no image has not failed.
func (r *reader) failureOf(i int, waiting *corev1.ContainerStateWaiting) Image {
	message := r.told(waiting, r.images[i])
	reason, _ := unwrap(waiting.Reason, waiting.Message)
	if r.Verify && reason == neverPull {
		return Image{Kind: Absent, Message: cleanCause(message)}
	}
	involved := append([]ref{r.helper}, r.images...)
	switch verdict := classify(message, involved); {
	case reason == "InvalidImageName":
		return fail(v1alpha2.ReasonInvalidImageName, message)
	case reason == "SignatureValidationFailed":
		return fail(v1alpha2.ReasonSignatureValidationFailed, message)
	case reason == "RegistryUnavailable" && verdict == v1alpha2.ReasonImagePullFailed:
		return fail(v1alpha2.ReasonRegistryUnavailable, message)
	default:
		return fail(verdict, message)
	}
}

// told returns the kubelet's words of a failed pull. A kubelet that forgot the
// cause during its back-off has told it in an event.
func (r *reader) told(waiting *corev1.ContainerStateWaiting, image ref) string {
	if _, cause := unwrap(waiting.Reason, waiting.Message); cause == "" && !r.needEvents() {
		if e, found := r.newest(pullFailureOf(image)); found {
			return e.Message
		}
	}
	if waiting.Message == "" {
		return waiting.Reason
	}
	return waiting.Message
}

// readInitContainer reads the container that installs the helper: what fails
// there is the helper's failure, unless its image is also a wanted one.
func (r *reader) readInitContainer() {
	status := statusOf(r.Pod.Status.InitContainerStatuses, InitContainerName)
	if status == nil || !r.ExecMethod {
		return
	}
	switch end, waiting := status.State.Terminated, status.State.Waiting; {
	case end != nil && terminated(end) && end.ExitCode != 0 && !r.podGoing():
		r.fillUndecided(fail(v1alpha2.ReasonPodStuck, installFailed(end)))
	case waiting == nil:
	case stageOf(waiting.Reason, waiting.Message) == pullFailed:
		r.readHelperFailure(waiting)
	case stageOf(waiting.Reason, waiting.Message) != beforePull:
		r.stuck = waiting.Message
	}
}

func (r *reader) readHelperFailure(waiting *corev1.ContainerStateWaiting) {
	if r.heldBack(waiting) {
		r.fillUndecided(Image{Kind: NotTried})
		return
	}
	for i := range r.images {
		if r.isHelper(i) && r.out.Images[i].Kind == Undecided {
			r.failImage(i, waiting)
		}
	}
	r.helperFailure = r.told(waiting, r.helper)
}

func installFailed(end *corev1.ContainerStateTerminated) string {
	message := fmt.Sprintf("the container that installs the helper ended with exit code %d (%s)", end.ExitCode, end.Reason)
	if end.Message != "" {
		message += ": " + end.Message
	}
	return message
}
