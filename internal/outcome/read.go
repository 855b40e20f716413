package outcome

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// InitContainerName is the name of the init container that installs the helper
// in Jobs of the exec method.
const InitContainerName = "install-helper"

// Read returns what is known of a Job that pulls or verifies. It is a function
// of its input alone: what an earlier call returned need not be remembered.
func Read(in Input) Attempt {
	r := newReader(in)
	if in.Pod == nil {
		// A Job completes only when its pod succeeded, that is when every
		// container ran to its end: that the pod is gone takes nothing back.
		r.withoutPod(Image{Kind: Pulled})
	} else {
		r.withPod()
	}
	return r.attempt()
}

// attempt closes what was gathered.
func (r *reader) attempt() Attempt {
	if r.finished() {
		r.fillUndecided(Image{Kind: NotTried})
	}
	r.out.Settled = !r.out.NeedEvents && !r.undecided()
	return r.out
}

// reader gathers one Attempt.
type reader struct {
	Input
	images []ref // parsed Images; the zero ref where that is impossible
	helper ref
	out    Attempt
	// ended is set when no pod will come any more.
	ended bool
	// stuck is why the kubelet cannot start a container, if a status says so.
	stuck string
	// helperFailure is why the helper image cannot be pulled, if it cannot.
	helperFailure string
}

func newReader(in Input) *reader {
	r := &reader{Input: in, images: make([]ref, len(in.Images))}
	r.out.Images = make([]Image, len(in.Images))
	for i, image := range in.Images {
		r.images[i], _ = parseRef(image)
	}
	r.helper, _ = parseRef(in.Helper)
	return r
}

// withPod reads in the order of what is surest: what containers prove, whether
// the pod was refused, why the rest does not move.
func (r *reader) withPod() {
	r.readStart()
	r.readContainers()
	if r.out.Refused = r.refusal(); r.out.Refused != nil {
		r.keepOnlyProofs()
		return
	}
	r.readInitContainer()
	r.blameHelper()
	r.explainDenials()
	r.readProgress()
}

func (r *reader) readStart() {
	if start := r.Pod.Status.StartTime; start != nil {
		r.out.Started = start.Time
	}
}

// podEnded tells whether the kubelet has finished with the pod.
func (r *reader) podEnded() bool {
	return r.Pod != nil && (r.Pod.Status.Phase == corev1.PodFailed || r.Pod.Status.Phase == corev1.PodSucceeded)
}

// podGoing tells whether the pod is being deleted and may still show something.
func (r *reader) podGoing() bool {
	return r.Pod != nil && r.Pod.DeletionTimestamp != nil && !r.podEnded()
}

// finished tells whether what is undecided now will stay so. A Job finishes when
// its pod has ended or is being deleted: where the pod does neither yet, our view
// of pods is behind that of Jobs, and what the pod has to tell is to come.
func (r *reader) finished() bool {
	if r.Pod == nil {
		return r.ended
	}
	return r.podEnded()
}

func (r *reader) undecided() bool {
	for i := range r.out.Images {
		if r.out.Images[i].Kind == Undecided {
			return true
		}
	}
	return false
}

// fillUndecided gives every undecided image the same outcome.
func (r *reader) fillUndecided(with Image) {
	for i := range r.out.Images {
		if r.out.Images[i].Kind == Undecided {
			r.out.Images[i] = with
		}
	}
}

// fail returns the outcome of an image that a kubelet's message explains.
func fail(reason, message string) Image {
	return Image{Kind: Failed, Reason: reason, Message: cleanCause(message)}
}

// blameHelper fails the images that cannot be tried without the helper. One
// that failed by itself keeps its own reason, one that is there stays.
func (r *reader) blameHelper() {
	if r.helperFailure != "" {
		r.fillUndecided(fail(v1alpha2.ReasonHelperImageUnavailable, r.helperFailure))
	}
}

// explainDenials looks for the kubelet's word that a pull secret is missing:
// the registry only says that nobody it knows asked.
func (r *reader) explainDenials() {
	for i := range r.out.Images {
		image := &r.out.Images[i]
		if image.Kind != Failed || image.Reason != v1alpha2.ReasonUnauthorized || !r.HasSecrets {
			continue
		}
		if !r.needEvents() {
			if message, found := r.newest(secretMissing); found {
				*image = fail(v1alpha2.ReasonPullSecretMissing, message.Message)
			}
		}
	}
}

// needEvents asks for the events unless they have been read.
func (r *reader) needEvents() bool {
	if !r.EventsRead {
		r.out.NeedEvents = true
	}
	return !r.EventsRead
}
