// Package outcome reads what became of a Job that pulls, verifies or removes
// images: pod statuses and events in, one outcome per image out. It is pure: no
// client, no clock, no I/O.
package outcome

import (
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Kind says how an image fared in one Job.
type Kind string

const (
	// Undecided means the Job may still settle this image.
	Undecided Kind = ""
	// Pulled means the image is on the node, whatever the container did then.
	Pulled Kind = "Pulled"
	// Failed means the pull failed; Reason and Message say why.
	Failed Kind = "Failed"
	// NotTried means the Job ended before this image was tried, or the kubelet
	// held it back ("pull QPS exceeded"): no attempt is counted.
	NotTried Kind = "NotTried"
	// Absent means a verification did not find the image, or the kubelet does
	// not let this pull identity use it, of which it says the same.
	Absent Kind = "Absent"
	// Removed means a removal was carried out: the image is not on the node.
	Removed Kind = "Removed"
	// Kept means a removal left the image, because other names of it are wanted
	// or were never asked to be removed.
	Kept Kind = "Kept"
)

// Image is the outcome of one image of a Job.
type Image struct {
	// Kind of the outcome.
	Kind Kind
	// Reason is one of the api's Reason constants; set when Kind is Failed or
	// Kept, in which case it is ImageShared.
	Reason string
	// Message is the kubelet's, runtime's or API server's own words, cleaned
	// of credentials and cut to MaxMessage bytes; set when Kind is Failed,
	// Absent or Kept.
	Message string
	// Digest is the image's digest ("sha256:..."), where the pod tells it.
	Digest string
}

// MaxMessage is the longest Message in bytes.
const MaxMessage = 256

// Refusal says that the kubelet refused or evicted the pod itself: the node
// waits and no image attempt is counted.
type Refusal struct {
	// Reason is the pod's reason, for example OutOfpods or Evicted.
	Reason string
	// Message is the kubelet's own words.
	Message string
}

// Pulling says which image the kubelet is pulling now, as its events tell.
type Pulling struct {
	// Index of the image in the Job.
	Index int
	// Since is when the kubelet began; never zero.
	Since time.Time
}

// Attempt is what is known of one Job.
type Attempt struct {
	// Settled means nothing more will come of this Job: no image is Undecided.
	Settled bool
	// Images holds one outcome per image, in the order of the Job.
	Images []Image
	// Refused is set when the kubelet refused or evicted the pod.
	Refused *Refusal
	// Pulling is set while an image is known to be pulled.
	Pulling *Pulling
	// Arrived holds the indexes of undecided images that the kubelet's events
	// say are on the node. A hint: nothing is recorded from it.
	Arrived []int
	// Failing maps the indexes of undecided images that the kubelet's events
	// say have failed to that failure. A hint, for telling it early: the pod's
	// status shows it when the last image is done.
	Failing map[int]Image
	// Started is when the kubelet took the pod; zero before.
	Started time.Time
	// NeedEvents asks for the events of the pod (or of the Job while it has
	// no pod) to be read, because the statuses alone do not tell enough.
	NeedEvents bool
}

// Event is what matters of a Kubernetes Event about our pod or Job.
type Event struct {
	// Reason of the event, for example Pulling, Failed or FailedCreate.
	Reason string
	// Message of the event.
	Message string
	// Time the event was last seen.
	Time time.Time
	// Warning is true for events of type Warning.
	Warning bool
}

// Input is all that Read and ReadRemoval look at.
type Input struct {
	// Verify is true when the Job pulls nothing (pullPolicy Never): an image
	// that the kubelet does not find is Absent.
	Verify bool
	// Images of the Job: normalised references, in the order of its containers.
	Images []string
	// Helper is the reference of the helper image as the Job's pods use it.
	Helper string
	// ExecMethod is true when the containers run from the pulled images
	// themselves (containerStatus.imageID is then the pulled image's), false
	// when they mount them as image volumes.
	ExecMethod bool
	// Together is true when one container, TogetherContainerName, stands for
	// all images and mounts them all.
	Together bool
	// HasSecrets is true when the pod pulls with imagePullSecrets.
	HasSecrets bool
	// JobCreated is when the Job was created.
	JobCreated time.Time
	// JobFailed holds the Job's Failed condition's reason and message, nil when it has none.
	JobFailed *Refusal
	// JobFinished is true when the Job has a Complete or Failed condition.
	JobFinished bool
	// Pod is the Job's pod, nil when it has none.
	Pod *corev1.Pod
	// Events about the pod, or about the Job while it has no pod; nil when
	// they have not been read.
	Events []Event
	// EventsRead is true when Events holds what was read.
	EventsRead bool
	// Now is the current time.
	Now time.Time
}

const (
	// NoPodGrace is how long a Job may be without a pod before its events are read.
	NoPodGrace = 10 * time.Second
	// NoPodDeadline is how long a Job may be without a pod though nothing says
	// why: long, because a busy job controller makes pods late.
	NoPodDeadline = 10 * time.Minute
	// NoProgressGrace is how long a pod may be without progress before its
	// events are read; a pull is only ever called slow after this time.
	NoProgressGrace = 10 * time.Second
)

// TogetherContainerName is the name of the container that stands for all
// images of a Job.
const TogetherContainerName = "pull-all"

// RemovalContainerName is the name of the one container of a removal Job.
const RemovalContainerName = "remove"

// ContainerName returns the name of the container that stands for image i.
func ContainerName(i int) string { return "pull-" + strconv.Itoa(i) }
