package v1alpha2

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ImageCacheActionStatus is the word of status.status. The words are the
// original's: scripts match them.
type ImageCacheActionStatus string

const (
	// ImageCacheActionStatusProcessing means pairs on eligible nodes are not settled yet.
	ImageCacheActionStatusProcessing ImageCacheActionStatus = "Processing"
	// ImageCacheActionStatusSucceeded means every pair on an eligible node is cached (or purged).
	ImageCacheActionStatusSucceeded ImageCacheActionStatus = "Succeeded"
	// ImageCacheActionStatusFailed means all pairs are settled and some failed.
	ImageCacheActionStatusFailed ImageCacheActionStatus = "Failed"
	// ImageCacheActionStatusNoImagesPulledOrDeleted means no node matched.
	ImageCacheActionStatusNoImagesPulledOrDeleted ImageCacheActionStatus = "NoImagesPulledOrDeleted"
	// ImageCacheActionStatusAborted is accepted from objects of the original; never written.
	ImageCacheActionStatusAborted ImageCacheActionStatus = "Aborted"
	// ImageCacheActionStatusUnknown is accepted from objects of the original; never written.
	ImageCacheActionStatusUnknown ImageCacheActionStatus = "Unknown"
)

// Values of status.reason: the operation the status is about.
const (
	ImageCacheReasonCreate  = "ImageCacheCreate"
	ImageCacheReasonUpdate  = "ImageCacheUpdate"
	ImageCacheReasonRefresh = "ImageCacheRefresh"
	ImageCacheReasonPurge   = "ImageCachePurge"
)

// Values of status.message, word for word those of the original, with its spelling.
const (
	MessagePullingImages       = "Images are being pulled on to the nodes. Please view the status after some time"
	MessageUpdatingCache       = "Image cache is being updated. Please view the status after some time"
	MessageRefreshingCache     = "Image cache is being refreshed. Please view the status after some time"
	MessagePurgingCache        = "Image cache is being purged. Please view the status after some time"
	MessageImagesPulled        = "All requested images pulled succesfully to respective nodes"
	MessageImagesDeleted       = "All cached images succesfully deleted from respective nodes"
	MessageImagePullFailed     = "Image pull failed for some images. Please see \"failures\" section"
	MessageImageDeletionFailed = "Image deletion failed for some images. Please see \"failures\" section"
	MessageNoNodesMatched      = "No images were pulled or deleted because nodeSelector specified did not match any nodes"
)

// NodeReasonMessage says why an image failed on one node.
type NodeReasonMessage struct {
	// node is the name of the Node.
	Node string `json:"node"`
	// reason is one word, see the Reason constants.
	Reason string `json:"reason"`
	// message is the kubelet's or API server's own words, shortened.
	Message string `json:"message"`
}

// NodeReasonMessageList is the list of nodes an image failed on.
type NodeReasonMessageList []NodeReasonMessage

// NodeCounts counts the nodes of an ImageCache.
type NodeCounts struct {
	// selected is the number of nodes that any list selects.
	// +optional
	Selected int32 `json:"selected"`
	// complete is the number of selected nodes that hold all their images.
	// +optional
	Complete int32 `json:"complete"`
	// waiting is the number of selected nodes that are due something and cannot
	// take new work now.
	// +optional
	Waiting int32 `json:"waiting"`
	// waitingReasons counts the waiting nodes by reason, for example NotReady or Unschedulable.
	// +optional
	WaitingReasons map[string]int32 `json:"waitingReasons,omitempty"`
}

// PairCounts counts image-on-node pairs:
// desired = cached + pulling + pending + failed + waiting.
type PairCounts struct {
	// desired is the number of pairs the spec asks for.
	// +optional
	Desired int32 `json:"desired"`
	// cached is the number of pairs that a Job of ours has shown to be present.
	// +optional
	Cached int32 `json:"cached"`
	// pulling is the number of pairs an unfinished Job works on.
	// +optional
	Pulling int32 `json:"pulling"`
	// pending is the number of pairs that have not been tried yet.
	// +optional
	Pending int32 `json:"pending"`
	// failed is the number of pairs whose last try failed.
	// +optional
	Failed int32 `json:"failed"`
	// waiting is the number of pairs on nodes that cannot take new work now.
	// +optional
	Waiting int32 `json:"waiting"`
}

// ImageSummary counts the nodes of one image.
type ImageSummary struct {
	// image as written in the spec.
	Image      string `json:"image"`
	PairCounts `json:",inline"`
}

// OperationStatus says how far a purge or refresh is.
type OperationStatus struct {
	// kind is purge or refresh.
	Kind string `json:"kind"`
	// id of the operation; grows with each one.
	ID int64 `json:"id"`
	// nodes is the number of selected nodes that can take it now.
	// +optional
	Nodes int32 `json:"nodes"`
	// served is the number of those that have carried it out.
	// +optional
	Served int32 `json:"served"`
	// completionTime is when the last of them had.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`
}

// ImageCacheStatus is what the controller has observed.
type ImageCacheStatus struct {
	// status is Processing, Succeeded, Failed or NoImagesPulledOrDeleted.
	// +optional
	Status ImageCacheActionStatus `json:"status,omitempty"`
	// reason is the operation: ImageCacheCreate, ImageCacheUpdate, ImageCacheRefresh or ImageCachePurge.
	// +optional
	Reason string `json:"reason,omitempty"`
	// message says the same for humans.
	// +optional
	Message string `json:"message,omitempty"`
	// failures lists, by image, the nodes it failed on and why; bounded.
	// +optional
	Failures map[string]NodeReasonMessageList `json:"failures,omitempty"`
	// failuresOmitted is the number of failed pairs left out of failures.
	// +optional
	FailuresOmitted int32 `json:"failuresOmitted,omitempty"`
	// startTime is when the operation began.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`
	// completionTime is when the last pair of the operation was settled.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`
	// observedGeneration is the metadata.generation this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions: Ready, Progressing, Degraded, Purged.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// progress is "cached/desired" for humans and printer columns.
	// +optional
	Progress   string `json:"progress,omitempty"`
	PairCounts `json:",inline"`
	// removing is the number of image-on-node pairs whose claim of this
	// ImageCache has ended and that are still to be removed.
	// +optional
	Removing int32 `json:"removing,omitempty"`
	// lastOperation is the purge or refresh that was accepted last.
	// +optional
	LastOperation *OperationStatus `json:"lastOperation,omitempty"`
	// nodes counts the nodes.
	// +optional
	Nodes NodeCounts `json:"nodes"`
	// images counts the nodes of each image, in the order of the spec; bounded.
	// +optional
	// +listType=atomic
	Images []ImageSummary `json:"images,omitempty"`
	// imagesOmitted is the number of images left out of images.
	// +optional
	ImagesOmitted int32 `json:"imagesOmitted,omitempty"`
}

// PullPolicyFor returns the policy images of this cache are pulled with when
// the reference is mutable or not: an explicit policy wins, a mutable
// reference (no tag, or tag latest, and no digest) is always pulled, and
// everything else follows fallback.
func (s *ImageCacheSpec) PullPolicyFor(mutable bool, fallback corev1.PullPolicy) corev1.PullPolicy {
	switch {
	case s.ImagePullPolicy != "":
		return s.ImagePullPolicy
	case mutable:
		return corev1.PullAlways
	default:
		return fallback
	}
}
