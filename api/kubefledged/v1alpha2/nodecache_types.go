package v1alpha2

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// ImageState is what is known of one image on one node.
// +kubebuilder:validation:Enum=Cached;Failed;Deferred
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
	// operation is the id of the last purge or refresh served on this node.
	// +optional
	Operation int64 `json:"operation,omitempty"`
}

// ImageRecord is what is known of one image, pulled with one identity, on one node.
type ImageRecord struct {
	// image is the normalised reference, for example docker.io/library/nginx:1.29.
	Image string `json:"image"`
	// identity is "node" for a pull without secrets, else a hash of namespace,
	// service account and pull secret names: what one identity may use, another may not.
	Identity string `json:"identity"`
	// state is Cached, Failed or Deferred.
	State ImageState `json:"state"`
	// claims lists the ids of the claims that hold this image.
	// +optional
	// +listType=atomic
	Claims []int32 `json:"claims,omitempty"`
	// attempts is the number of failed tries since the last success.
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
	// wait is set while the node refuses pods.
	// +optional
	Wait *NodeWait `json:"wait,omitempty"`
	// claims of the ImageCaches on this node.
	// +optional
	// +listType=map
	// +listMapKey=uid
	Claims []Claim `json:"claims,omitempty"`
	// images is what is known of each image and identity.
	// +optional
	// +listType=map
	// +listMapKey=image
	// +listMapKey=identity
	Images []ImageRecord `json:"images,omitempty"`
}

// NodeCache is the controller's record of one node: which images its Jobs have
// shown to be there, which failed and why. It is named after the Node, owned
// by it, and written by the controller only; deleting it makes the controller
// look again.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,categories=kubefledged
// +kubebuilder:printcolumn:name="Cached",type=integer,JSONPath=`.status.cached`
// +kubebuilder:printcolumn:name="Failed",type=integer,JSONPath=`.status.failed`
// +kubebuilder:printcolumn:name="Waiting",type=integer,JSONPath=`.status.waiting`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type NodeCache struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

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
