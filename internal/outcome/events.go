package outcome

import (
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// Events of the kubelet about images (KUBE/pkg/kubelet/events/event.go). Image
// volumes and containers have the same ones: both go through EnsureImageExists
// (images/image_manager.go).
const (
	eventPulling = "Pulling"
	eventPulled  = "Pulled"
	eventFailed  = "Failed"
)

// stuckReasons are the warnings that say why a pod does not get as far as its
// images (KUBE/pkg/kubelet/events/event.go).
var stuckReasons = map[string]bool{
	"FailedMount":                     true,
	"FailedAttachVolume":              true,
	"FailedMapVolume":                 true,
	"FailedMountOnFilesystemMismatch": true,
	"FailedCreatePodSandBox":          true,
	"FailedPodSandBoxStatus":          true,
	"FailedCreatePodContainer":        true,
	"FailedPrepareDynamicResources":   true,
	"FailedSync":                      true,
	"FailedValidation":                true,
	"NetworkNotReady":                 true,
}

// newest returns the latest event that fits; of two of the same second, the
// later in the list.
func (r *reader) newest(fits func(*Event) bool) (Event, bool) {
	var best *Event
	for i := range r.Events {
		if e := &r.Events[i]; fits(e) && (best == nil || !e.Time.Before(best.Time)) {
			best = e
		}
	}
	if best == nil {
		return Event{}, false
	}
	return *best, true
}

func secretMissing(e *Event) bool { return e.Reason == "FailedToRetrieveImagePullSecret" }

// pullFailureOf fits the event of a failed pull of image, which names it
// whatever the runtime's error says.
func pullFailureOf(image ref) func(*Event) bool {
	return func(e *Event) bool {
		subject, ok := firstQuoted(e.Message)
		return e.Reason == eventFailed && strings.HasPrefix(e.Message, "Failed to pull image ") &&
			ok && subject.full == image.full
	}
}

func isStuck(e *Event) bool {
	return e.Warning && (stuckReasons[e.Reason] ||
		e.Reason == eventFailed && strings.HasPrefix(e.Message, "error making pod data directories"))
}

// isProgress fits the events that show the kubelet at work on images.
func isProgress(e *Event) bool {
	_, named := firstQuoted(e.Message)
	return named && (e.Reason == eventPulling || e.Reason == eventPulled)
}

// readProgress says what the kubelet is pulling, or why it is not.
func (r *reader) readProgress() {
	if !r.undecided() || r.podEnded() || r.podGoing() || r.JobFinished {
		return
	}
	r.out.Arrived, r.out.Failing = r.arrived(), r.failing()
	current, pulling := r.current()
	if pulling {
		r.out.Pulling = r.pullingOf(current)
	}
	if r.age() < NoProgressGrace {
		return
	}
	switch warning, found := r.newest(isStuck); {
	case r.stuck != "":
		r.fillUndecided(fail(v1alpha2.ReasonPodStuck, r.stuck))
	case r.needEvents(), pulling, !found, r.progressedSince(warning.Time):
	default:
		r.fillUndecided(fail(v1alpha2.ReasonPodStuck, warning.Message))
	}
}

// age returns how long the kubelet has had the pod.
func (r *reader) age() time.Duration {
	if r.out.Started.IsZero() {
		return r.Now.Sub(r.Pod.CreationTimestamp.Time)
	}
	return r.Now.Sub(r.out.Started)
}

func (r *reader) progressedSince(t time.Time) bool {
	e, found := r.newest(isProgress)
	return found && e.Time.After(t)
}

// current returns the event of the pull under way: the latest to begin that is
// not over. Events can be lost, so this is a hint.
func (r *reader) current() (Event, bool) {
	return r.newest(func(e *Event) bool {
		return e.Reason == eventPulling && isProgress(e) && !e.Time.IsZero() && !r.over(e)
	})
}

// over tells whether a pull that began has ended. A pod's images are pulled one
// after the other (KUBE/pkg/kubelet/kuberuntime/kuberuntime_manager.go), so a
// later end of any of them ends it. Event times are whole seconds: its own end
// in the same second counts as later.
func (r *reader) over(begun *Event) bool {
	subject, _ := firstQuoted(begun.Message)
	_, over := r.newest(func(e *Event) bool {
		other, ok := firstQuoted(e.Message)
		if !ok || (e.Reason != eventPulled && e.Reason != eventFailed) {
			return false
		}
		return e.Time.After(begun.Time) || (e.Time.Equal(begun.Time) && other.full == subject.full)
	})
	return over
}

// arrived returns the undecided images whose latest event is that they were
// pulled, or were there already.
func (r *reader) arrived() []int {
	var indexes []int
	for i := range r.images {
		if last, found := r.lastOf(i); found && last.Reason == eventPulled && r.out.Images[i].Kind == Undecided {
			indexes = append(indexes, i)
		}
	}
	return indexes
}

// pullFailure is the kubelet's event of a failed pull, with its cause.
var pullFailure = regexp.MustCompile(`(?s)^Failed to pull image "(?:[^"\\]|\\.)*": (.*)$`)

// failing returns the undecided images whose latest event is that their pull
// failed.
func (r *reader) failing() map[int]Image {
	var failures map[int]Image
	for i := range r.images {
		last, found := r.lastOf(i)
		cause := pullFailure.FindStringSubmatch(last.Message)
		if !found || cause == nil || r.out.Images[i].Kind != Undecided {
			continue
		}
		waiting := &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: cause[1]}
		if r.heldBack(waiting) {
			continue
		}
		if failures == nil {
			failures = map[int]Image{}
		}
		failures[i] = r.failureOf(i, waiting)
	}
	return failures
}

// lastOf returns the latest event about the end of image i's pull.
func (r *reader) lastOf(i int) (Event, bool) {
	return r.newest(func(e *Event) bool {
		subject, named := firstQuoted(e.Message)
		return named && subject.full == r.images[i].full && (e.Reason == eventPulled || e.Reason == eventFailed)
	})
}

// pullingOf returns which undecided image an event speaks of; nil for the
// helper, and for an image that is decided.
func (r *reader) pullingOf(e Event) *Pulling {
	subject, _ := firstQuoted(e.Message)
	for i := range r.images {
		if r.images[i].full == subject.full && r.out.Images[i].Kind == Undecided {
			return &Pulling{Index: i, Since: e.Time}
		}
	}
	return nil
}
