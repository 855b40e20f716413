package v1alpha2

// Labels of our Jobs and pods. The first four are the original's.
const (
	LabelApp        = "app"
	LabelComponent  = "kubefledged"
	LabelImageCache = "imagecache"
	LabelController = "controller"

	LabelAppValue        = "kubefledged"
	LabelComponentValue  = "kubefledged-image-manager"
	LabelControllerValue = "fledged"
)

// Annotations a user sets on an ImageCache to ask for an operation; any value.
const (
	AnnotationPurge   = "kubefledged.io/purge-imagecache"
	AnnotationRefresh = "kubefledged.io/refresh-imagecache"
)

// AnnotationAccepted on an ImageCache is the last operation the controller has
// accepted, as JSON: kind, id, generation, and the values that were asked with.
// The controller writes it together with the removal of the user's annotation.
const AnnotationAccepted = AnnotationOperation

// FinalizerPurge on an ImageCache with deletionPolicy Purge lets the images be
// removed before the object goes.
const FinalizerPurge = "kubefledged.io/purge"

// AnnotationCRISocket on a Node is kubeadm's: the socket of its container runtime.
const AnnotationCRISocket = "kubeadm.alpha.kubernetes.io/cri-socket"

// Annotations of our Jobs and pods: full values, which labels would cut.
const (
	// AnnotationImageCache is "namespace/name" of the owning ImageCache.
	AnnotationImageCache = "kubefledged.io/imagecache"
	// AnnotationNode is the name of the Node.
	AnnotationNode = "kubefledged.io/node"
	// AnnotationNodeUID is the uid of the Node.
	AnnotationNodeUID = "kubefledged.io/node-uid"
	// AnnotationOperation is the Job's operation: pull, verify or remove.
	AnnotationOperation = "kubefledged.io/operation"
	// AnnotationSequence is the Job's number in the node's record.
	AnnotationSequence = "kubefledged.io/sequence"
	// AnnotationIdentity is the pull identity of the Job's images.
	AnnotationIdentity = "kubefledged.io/pull-identity"
	// AnnotationNodeCacheUID is the uid of the NodeCache that counts the Job.
	AnnotationNodeCacheUID = "kubefledged.io/nodecache-uid"
	// AnnotationSelectors is a hash of the ImageCache's node selectors when the
	// Job was made.
	AnnotationSelectors = "kubefledged.io/selectors"
	// AnnotationImages is a JSON list of the images, in the order of the containers.
	AnnotationImages = "kubefledged.io/images"
	// AnnotationMethod is the pull method: image-volume or exec.
	AnnotationMethod = "kubefledged.io/pull-method"
	// AnnotationDeadline is the time one image may take, a Go duration.
	AnnotationDeadline = "kubefledged.io/pull-deadline"
	// AnnotationSafeToEvict tells the cluster autoscaler that our pods do not hold a node.
	AnnotationSafeToEvict = "cluster-autoscaler.kubernetes.io/safe-to-evict"
)
