package outcome

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// readTogether reads the container that mounts all images. The kubelet has
// tried them all before it starts or fails the container, so its start proves
// all of them; its failure is that of the first mount that failed, and tells
// nothing of the others.
func (r *reader) readTogether() {
	status := statusOf(r.Pod.Status.ContainerStatuses, TogetherContainerName)
	if status == nil {
		return
	}
	waiting := status.State.Waiting
	if waiting == nil {
		waiting = &corev1.ContainerStateWaiting{}
	}
	switch step := stageOf(waiting.Reason, waiting.Message); {
	case created(status), step == afterPull:
		r.fillUndecided(Image{Kind: Pulled})
	case step == configFailed:
		r.stuck = waiting.Message
	case step == pullFailed && r.heldBack(waiting):
		r.fillUndecided(Image{Kind: NotTried})
	case step == pullFailed:
		r.readTogetherFailure(waiting)
	}
}

// readTogetherFailure blames the image or helper that the message names most
// exactly, else the one whose failure an event tells.
func (r *reader) readTogetherFailure(waiting *corev1.ContainerStateWaiting) {
	i, helper := r.blamed(waiting.Message)
	if i < 0 && !helper {
		if r.needEvents() {
			return
		}
		i, helper = r.blamedByEvents()
	}
	switch {
	case i >= 0:
		r.failImage(i, waiting)
		r.fillUndecided(Image{Kind: NotTried})
	case helper:
		r.helperFailure = r.told(waiting, r.helper)
	default: // nobody is named: each is tried in a container of its own next
		r.fillUndecided(fail(v1alpha2.ReasonImagePullFailed, waiting.Message))
	}
}

// blamed returns the image that a message names, -1 for none, and whether it
// names the helper instead.
func (r *reader) blamed(message string) (image int, helper bool) {
	image, best := -1, notNamed
	for i := range r.images {
		if m := mentions(message, r.images[i]); m > best {
			image, best = i, m
		}
	}
	if r.helper.full != "" && mentions(message, r.helper) > best {
		return -1, true
	}
	return image, false
}

// blamedByEvents does so by the kubelet's events of failed pulls.
func (r *reader) blamedByEvents() (image int, helper bool) {
	for i := range r.images {
		if _, failed := r.newest(pullFailureOf(r.images[i])); failed {
			return i, false
		}
	}
	_, helper = r.newest(pullFailureOf(r.helper))
	return -1, helper
}
