package v1alpha2

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// ImageState is what is known of one image on one node.
// +kubebuilder:validation:Enum=Cached;Failed;Deferred;Missing;Removing
type ImageState string

const (
	// ImageStateCached means a Job of ours showed the image to be present.
	ImageStateCached ImageState = "Cached"
	// ImageStateFailed means the last try failed.
	ImageStateFailed ImageState = "Failed"
	// ImageStateDeferred means the image pulls slowly, so that the others of
	// its Job no longer wait for it; it is settled by that Job (slowJob), or is
	// pulled alone when they are done.
	ImageStateDeferred ImageState = "Deferred"
	// ImageStateMissing means the image was there and a verification did not
	// find it any more; it is pulled again.
	ImageStateMissing ImageState = "Missing"
	// ImageStateRemoving means the last claim on the image ended by an edit or
	// a purge: it is to be removed from the node. Its claims are those that ended.
	ImageStateRemoving ImageState = "Removing"
)

// DueWork says what is to be done with an image though it is there.
// +kubebuilder:validation:Enum=Pull;Verify
type DueWork string

const (
	// DuePull means the image is to be pulled again: a refresh was asked for and
	// its tag may have moved.
	DuePull DueWork = "Pull"
	// DueVerify means a Job is to look whether the image is still there.
	DueVerify DueWork = "Verify"
)

// Claim is one ImageCache's hold on images of a node.
type Claim struct {
	// id is the number image records refer to this claim by.
	ID int32 `json:"id"`
	// namespace of the ImageCache.
	Namespace string `json:"namespace"`
	// name of the ImageCache.
	Name string `json:"name"`
	// uid of the ImageCache: a claim of another object of the same name is another claim.
	UID types.UID `json:"uid"`
	// generation of the ImageCache that was last applied to this node.
	Generation int64 `json:"generation"`
	// operation is the id of the last purge or refresh accepted on this node;
	// it is served when no image of the claim is due or to be removed any more.
	// +optional
	Operation int64 `json:"operation,omitempty"`
	// selectors is a hash of the ImageCache's node selectors as last applied: a
	// node that is not selected any more although they did not change has been
	// relabeled, and keeps its images for a while.
	// +optional
	Selectors string `json:"selectors,omitempty"`
}

// ImageRecord is what is known of one image, pulled with one identity, on one node.
type ImageRecord struct {
	// image is the normalised reference, for example docker.io/library/nginx:1.29.
	Image string `json:"image"`
	// identity is "node" for a pull without secrets, else a hash of namespace,
	// service account and pull secret names: what one identity may use, another may not.
	Identity string `json:"identity"`
	// state is Cached, Failed, Deferred, Missing or Removing.
	State ImageState `json:"state"`
	// due says what is to be done with the image though it is Cached.
	// +optional
	Due DueWork `json:"due,omitempty"`
	// vanished counts how often in a row a verification did not find the image.
	// +optional
	Vanished int32 `json:"vanished,omitempty"`
	// unselectedSince is when the node stopped being selected for the image; it
	// is removed when that has lasted for the controller's --unselected-grace.
	// +optional
	UnselectedSince *metav1.Time `json:"unselectedSince,omitempty"`
	// claims lists the ids of the claims that hold this image.
	// +optional
	// +listType=atomic
	Claims []int32 `json:"claims,omitempty"`
	// attempts is the number of failed tries since the last success: of pulls,
	// or of removals when the state is Removing.
	// +optional
	Attempts int32 `json:"attempts,omitempty"`
	// reason of a failure, one word.
	// +optional
	Reason string `json:"reason,omitempty"`
	// message of a failure.
	// +optional
	Message string `json:"message,omitempty"`
	// time of the last outcome.
	Time metav1.Time `json:"time"`
	// digest of the image, where the node reports it.
	// +optional
	Digest string `json:"digest,omitempty"`
	// sizeBytes is the size in bytes that the node reports.
	// +optional
	SizeBytes int64 `json:"sizeBytes,omitempty"`
}

// NodeWait says why a node takes no Jobs for a while, though it looks eligible.
type NodeWait struct {
	// reason is one word, for example OutOfpods.
	Reason string `json:"reason"`
	// message is the kubelet's own words.
	// +optional
	Message string `json:"message,omitempty"`
	// attempts is the number of refusals in a row.
	Attempts int32 `json:"attempts"`
	// until is when the next Job may be tried.
	Until metav1.Time `json:"until"`
}

// NodeCacheStatus is the record.
type NodeCacheStatus struct {
	// nodeUID is the uid of the Node. A record of another uid is of a node that was replaced.
	NodeUID types.UID `json:"nodeUID"`
	// sequence counts the Jobs recorded; it only grows and names the next Job.
	// +optional
	Sequence int64 `json:"sequence"`
	// slowJob is the number of the Job that still pulls a Deferred image beside
	// the current one; 0 when there is none.
	// +optional
	SlowJob int64 `json:"slowJob,omitempty"`
	// cached is the number of images in state Cached.
	// +optional
	Cached int32 `json:"cached"`
	// failed is the number of images in state Failed.
	// +optional
	Failed int32 `json:"failed"`
	// waiting is the number of images that are wanted and not settled.
	// +optional
	Waiting int32 `json:"waiting"`
	// removing is the number of images in state Removing that wait for their removal.
	// +optional
	Removing int32 `json:"removing,omitempty"`
	// openJobs are the numbers up to sequence whose Jobs are not recorded yet,
	// where several Jobs pull onto one node at once (--pulls-per-node).
	// +optional
	// +listType=atomic
	OpenJobs []int64 `json:"openJobs,omitempty"`
	// verified is when the last verification of all images began.
	// +optional
	Verified *metav1.Time `json:"verified,omitempty"`
	// bootID of the node when its images were last verified or pulled.
	// +optional
	BootID string `json:"bootID,omitempty"`
	// diskPressure is true since the node reported it; when it ends the images
	// are verified, because the kubelet deletes images under disk pressure.
	// +optional
	DiskPressure bool `json:"diskPressure,omitempty"`
	// listLimit is a length of the node's own list of images that was seen to
	// leave out images that are there: a list this long proves nothing.
	// +optional
	ListLimit *int32 `json:"listLimit,omitempty"`
	// wait is set while the node refuses pods.
	// +optional
	Wait *NodeWait `json:"wait,omitempty"`
	// claims of the ImageCaches on this node.
	// +optional
	// +listType=atomic
	Claims []Claim `json:"claims,omitempty"`
	// images is what is known of each image and identity. Atomic, though each
	// is there once: the API server keeps the keys of other lists a second time,
	// in managedFields, and there may be thousands.
	// +optional
	// +listType=atomic
	Images []ImageRecord `json:"images,omitempty"`
}

// NodeCacheSpec is empty: what a node is to hold is what the ImageCaches ask for.
type NodeCacheSpec struct{}

// NodeCache is the controller's record of one node: which images its Jobs have
// shown to be there, which failed and why. It is named after the Node, owned
// by it, and written by the controller only; deleting it makes the controller
// look again.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,categories=fledged
// +kubebuilder:printcolumn:name="Cached",type=integer,JSONPath=`.status.cached`
// +kubebuilder:printcolumn:name="Failed",type=integer,JSONPath=`.status.failed`
// +kubebuilder:printcolumn:name="Waiting",type=integer,JSONPath=`.status.waiting`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type NodeCache struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is empty and never written. Tools that read examples of every kind
	// expect one.
	// +optional
	Spec *NodeCacheSpec `json:"spec,omitempty"`
	// status is the record; it is written together with the object.
	// +required
	Status NodeCacheStatus `json:"status"`
}

// NodeCacheList is a list of NodeCaches.
// +kubebuilder:object:root=true
type NodeCacheList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []NodeCache `json:"items"`
}
