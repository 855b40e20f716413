// Package plan decides. Plain values in, plain values out: what should happen
// on one node, and what is true of one ImageCache. It has no client, no clock
// and does no I/O; the controllers carry out what it decides.
package plan

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

// IdentityNode is the pull identity of images pulled without secrets.
const IdentityNode = "node"

// Method is how a Job makes the kubelet pull an image.
type Method string

const (
	// MethodImageVolume mounts the images as image volumes; nothing of them is run.
	MethodImageVolume Method = "image-volume"
	// MethodExec runs our static helper inside a container of each image.
	MethodExec Method = "exec"
)

// Node is what matters of a Kubernetes Node.
type Node struct {
	Name   string
	UID    types.UID
	Labels map[string]string
	Taints []corev1.Taint
	// Unavailable is the reason why the node takes no new work whatever its
	// taints (one of the api's Waiting constants); empty when it does.
	Unavailable string
	// Method this node's pulls use.
	Method Method
	// Reported maps the normalised references that the node reports to hold
	// to what it says of them. A hint: it lags, and it is cut.
	Reported map[string]Reported
	// Listed is the number of images the node reports, whatever their names.
	Listed int
	// BootID changes with each start of the machine.
	BootID string
	// DiskPressure is true while the node reports it.
	DiskPressure bool
	// Socket is the path of the container runtime's socket on the node.
	Socket string
}

// Reported is what a node says of one of its images.
type Reported struct {
	// Digest of the image, "sha256:...", empty when not told.
	Digest string
	// SizeBytes is the image's size in bytes.
	SizeBytes int64
}

// Image is one image of an ImageCache.
type Image struct {
	// Name as the user wrote it.
	Name string
	// Ref is the normalised reference, empty when Name cannot be parsed.
	Ref string
	// Policy it is pulled with.
	Policy corev1.PullPolicy
	// Invalid says why Name cannot be parsed; empty when it can.
	Invalid string
}

// List is one list of images of an ImageCache and the nodes it selects.
type List struct {
	Images []Image
	// Selects tells whether the list is for this node.
	Selects func(name string, labels map[string]string) bool
}

// Cache is what matters of an ImageCache.
type Cache struct {
	Namespace, Name string
	UID             types.UID
	Generation      int64
	Created         time.Time
	// Deleting is true when the object is being deleted: it wants nothing new.
	Deleting bool
	// Purging is true when it is being deleted and its images are to go with it.
	Purging bool
	// Operation is the purge or refresh that was accepted last.
	Operation Operation
	// RefreshInterval is the time between two automatic refreshes; 0 for none.
	RefreshInterval time.Duration
	// Selectors is a hash of the node selectors of all lists.
	Selectors string
	// Suspend stops new work.
	Suspend bool
	Lists   []List
	// Identity the images are pulled with.
	Identity string
	// Secrets are the names of the pull secrets.
	Secrets []string
	// PullDeadline is the longest one image may take.
	PullDeadline time.Duration
	// Tolerations of the nodes' taints; nil means the default.
	Tolerations []corev1.Toleration
}

// Key names a record of a NodeCache: a normalised reference and a pull identity.
type Key struct{ Image, Identity string }

// Want is one image that one or more ImageCaches want on a node.
type Want struct {
	Key
	// Name is the reference as the first claimant wrote it.
	Name string
	// Policy is Always when any claimant wants that.
	Policy corev1.PullPolicy
	// Claimants want the image here, oldest first.
	Claimants []*Cache
}

// JobKind is what a Job does.
type JobKind string

const (
	// JobPull makes the kubelet pull images.
	JobPull JobKind = "pull"
	// JobVerify asks the kubelet whether images are there; nothing is pulled.
	JobVerify JobKind = "verify"
	// JobRemove removes images through the container runtime's socket.
	JobRemove JobKind = "remove"
)

// Job is one of our Jobs on a node, with what is known of it.
type Job struct {
	Kind            JobKind
	Namespace, Name string
	UID             types.UID
	// NodeUID is the uid of the node the Job was made for.
	NodeUID types.UID
	// Record is the uid of the NodeCache that counts the Job; empty when the
	// Job does not tell.
	Record types.UID
	// Owner is the uid of the owning ImageCache, or NodeCache of a removal.
	Owner types.UID
	// Sequence is the Job's number in the node's record.
	Sequence int64
	// Identity of the pulls.
	Identity string
	// Selectors is the hash of its owner's selectors when the Job was made.
	Selectors string
	// Images are normalised references, in the order of the containers.
	Images []string
	// Deadline is the longest one image may take.
	Deadline time.Duration
	// Created is when the Job was created.
	Created time.Time
	// Deleting is true when the Job is being deleted.
	Deleting bool
	// Gone is true when the Job object is gone but its pod is not.
	Gone bool
	// Finished is true when the Job controller is done with the Job.
	Finished bool
	// PodRunning is true while the Job's pod exists and has not ended, so
	// that the kubelet may still be pulling for it.
	PodRunning bool
	// Attempt is what became of it so far.
	Attempt outcome.Attempt
}

// JobSpec is a Job to create.
type JobSpec struct {
	Kind JobKind
	// Owner is the ImageCache the Job belongs to; nil for a removal, which
	// belongs to the NodeCache.
	Owner *Cache
	// NodeCacheUID and Sequence name the Job.
	NodeCacheUID types.UID
	Sequence     int64
	Node         *Node
	Identity     string
	Images       []Want
	Deadline     time.Duration
	// Beside are "namespace/name" of the Jobs that this one may run beside: that
	// of a slow image, and those that have brought all their images.
	Beside []string
	// Keep are references that a removal must not touch: all that anybody
	// wants or holds on the node.
	Keep []string
	// Together lets one container stand for all images: its start proves all
	// of them, its failure names one.
	Together bool
}

// Record is a NodeCache: its identity and its content.
type Record struct {
	// UID of the NodeCache object; empty while it does not exist.
	UID types.UID
	v1alpha2.NodeCacheStatus
}

// Options are the controller's settings that decisions depend on.
type Options struct {
	// ImagesPerJob is the largest number of images of one Job; 0 means auto.
	ImagesPerJob int
	// Sizes returns the size in bytes of an image, when any node has told it.
	Sizes func(ref string) (int64, bool)
	// RegistryOpen returns when a registry may be asked again that has
	// answered 429 or 5xx; the zero time when it may be asked now. May be nil.
	RegistryOpen func(registry string) time.Time
	// VerifyInterval is the time between two verifications of a node; 0 for none.
	VerifyInterval time.Duration
	// UnselectedGrace is how long a node that is not selected any more, because
	// its labels changed, keeps its images.
	UnselectedGrace time.Duration
	// RemovalDisabled leaves images on the nodes whatever happens.
	RemovalDisabled bool
	// RetainJobs keeps finished Jobs until their time to live has passed.
	RetainJobs bool
	// PullsPerNode is how many pull Jobs a node may have at once; 0 means 1.
	PullsPerNode int
}
