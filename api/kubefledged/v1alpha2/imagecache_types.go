package v1alpha2

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DeletionPolicy says what happens to the images when their ImageCache is deleted.
// +kubebuilder:validation:Enum=Retain;Purge
type DeletionPolicy string

const (
	// DeletionPolicyRetain leaves the images on the nodes.
	DeletionPolicyRetain DeletionPolicy = "Retain"
	// DeletionPolicyPurge removes the images that no other ImageCache wants.
	DeletionPolicyPurge DeletionPolicy = "Purge"
)

// Image is a reference as accepted by the container runtime:
// [registry[:port]/]repository[:tag][@digest].
//
// The pattern is the grammar of github.com/distribution/reference, less the
// registries that cannot exist: an upper-case word without a dot or port, as in
// UPPER/case, and a host with an underscore.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=512
// +kubebuilder:validation:Pattern=`^(([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(((\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)+(:[0-9]+)?)|:[0-9]+)|\[[a-fA-F0-9]*:[a-fA-F0-9:]*\](:[0-9]+)?|[a-z0-9]+((_|__|-+)[a-z0-9]+)*)/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*|[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@(sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}))?$`
type Image string

// CacheSpecImages is one list of images and the nodes they are cached on.
type CacheSpecImages struct {
	// images is the list of image references to cache.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=2048
	Images []Image `json:"images"`

	// nodeSelector restricts the list to nodes that carry all of these labels.
	// Without nodeSelector and nodeAffinity the images are cached on every node.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// nodeAffinity restricts the list to nodes that match
	// requiredDuringSchedulingIgnoredDuringExecution, as in a Pod. Preferences
	// are ignored. With nodeSelector, both must match.
	// +optional
	NodeAffinity *corev1.NodeAffinity `json:"nodeAffinity,omitempty"`
}

// ImageCacheSpec is what a user wants to have cached where.
type ImageCacheSpec struct {
	// cacheSpec lists images and the nodes they are cached on. An image that
	// several lists name is cached once on each node that any of them selects.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	CacheSpec []CacheSpecImages `json:"cacheSpec"`

	// imagePullSecrets names Secrets of the ImageCache's namespace that the
	// kubelets pull with. The controller never reads them.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`

	// imagePullPolicy of every image of this cache. Unset: Always for an image
	// without tag or with tag latest, else the controller's --image-pull-policy.
	// +optional
	// +kubebuilder:validation:Enum=Always;IfNotPresent
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty"`

	// pullDeadline is the longest time one image may take to pull onto one
	// node. Unset: the controller's --image-pull-deadline-duration.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+)$')",message="must be a duration such as 90s, 5m or 1h30m"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^(0|([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+)$') || duration(self) >= duration('1s')",message="must be at least 1s"
	PullDeadline *metav1.Duration `json:"pullDeadline,omitempty"`

	// refreshInterval is the time between two automatic refreshes; 0s turns
	// them off. Unset: the controller's --image-cache-refresh-frequency.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+)$')",message="must be a duration such as 90s, 5m or 1h30m"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^(0|([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+)$') || duration(self) == duration('0s') || duration(self) >= duration('10s')",message="must be 0s (off) or at least 10s"
	RefreshInterval *metav1.Duration `json:"refreshInterval,omitempty"`

	// tolerations of the nodes' taints. Unset: every taint but those that mean
	// "no new work here", such as unschedulable or disk pressure. When set, a
	// node with a NoSchedule or NoExecute taint that is not tolerated waits.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// deletionPolicy says what happens to the images when this object is
	// deleted: Retain (default) leaves them on the nodes, Purge removes them.
	// +optional
	// +kubebuilder:default=Retain
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`

	// suspend stops new work for this cache; what is on the nodes stays.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// ImageCache keeps a set of images on a set of nodes.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ic,categories=fledged
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.status`
// +kubebuilder:printcolumn:name="Cached",type=string,JSONPath=`.status.progress`,description="cached of desired image-on-node pairs"
// +kubebuilder:printcolumn:name="Failed",type=integer,JSONPath=`.status.failed`,description="image-on-node pairs that failed"
// +kubebuilder:printcolumn:name="Nodes",type=integer,JSONPath=`.status.nodes.selected`,description="nodes selected by any list"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Waiting",type=integer,priority=1,JSONPath=`.status.waiting`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.message`
type ImageCache struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the user wants to have cached where.
	// +required
	Spec ImageCacheSpec `json:"spec"`
	// status is what the controller has observed.
	// +optional
	Status ImageCacheStatus `json:"status,omitempty"`
}

// ImageCacheList is a list of ImageCaches.
// +kubebuilder:object:root=true
type ImageCacheList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ImageCache `json:"items"`
}
