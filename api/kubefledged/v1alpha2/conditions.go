package v1alpha2

// Condition types of an ImageCache.
const (
	// ConditionReady is True when every pair on an eligible node is cached.
	ConditionReady = "Ready"
	// ConditionProgressing is True while pairs on eligible nodes are not settled.
	ConditionProgressing = "Progressing"
	// ConditionDegraded is True when a pair failed or the spec has an error
	// that only the controller could find.
	ConditionDegraded = "Degraded"
	// ConditionPurged is True after a purge, until a later refresh or edit.
	ConditionPurged = "Purged"
)

// Reasons of the conditions.
const (
	ConditionReasonAllCached       = "AllImagesCached"
	ConditionReasonPulling         = "PullingImages"
	ConditionReasonSettled         = "Settled"
	ConditionReasonPullFailed      = "ImagePullFailed"
	ConditionReasonInvalidSpec     = "InvalidSpec"
	ConditionReasonNoNodesSelected = "NoNodesSelected"
	ConditionReasonNodesWaiting    = "NodesWaiting"
	ConditionReasonSuspended       = "Suspended"
	ConditionReasonNoFailures      = "NoFailures"
	ConditionReasonPurging         = "Purging"
	ConditionReasonPurged          = "Purged"
	ConditionReasonNotPurged       = "NotPurged"
	ConditionReasonRemoving        = "RemovingImages"
	ConditionReasonRefreshing      = "RefreshingImages"
	ConditionReasonRemovalFailed   = "ImageRemovalFailed"
)

// Reasons of a failed pair: status.failures[].reason and NodeCache image reasons.
const (
	// ReasonImageNotFound: the registry has no such repository, tag or digest.
	ReasonImageNotFound = "ImageNotFound"
	// ReasonUnauthorized: the registry refused the credentials, or wants some.
	ReasonUnauthorized = "Unauthorized"
	// ReasonPullSecretMissing: refused, and the kubelet could not find a pull secret.
	ReasonPullSecretMissing = "PullSecretMissing"
	// ReasonInvalidImageName: the reference cannot be parsed.
	ReasonInvalidImageName = "InvalidImageName"
	// ReasonPlatformMismatch: the image has nothing for the node's OS and architecture.
	ReasonPlatformMismatch = "PlatformMismatch"
	// ReasonSignatureValidationFailed: the runtime's policy refused the image's signature.
	ReasonSignatureValidationFailed = "SignatureValidationFailed"
	// ReasonRegistryThrottled: the registry answered 429.
	ReasonRegistryThrottled = "RegistryThrottled"
	// ReasonRegistryUnavailable: connection, TLS, DNS or 5xx errors.
	ReasonRegistryUnavailable = "RegistryUnavailable"
	// ReasonNoSpaceLeft: the node's image filesystem is full.
	ReasonNoSpaceLeft = "NoSpaceLeft"
	// ReasonImagePullFailed: any other failure of the pull.
	ReasonImagePullFailed = "ImagePullFailed"
	// ReasonPullDeadlineExceeded: the pull took longer than its deadline.
	ReasonPullDeadlineExceeded = "PullDeadlineExceeded"
	// ReasonHelperImageUnavailable: the controller's own helper image cannot be pulled.
	ReasonHelperImageUnavailable = "HelperImageUnavailable"
	// ReasonPodNotCreated: the Job gets no pod (quota, admission, limits).
	ReasonPodNotCreated = "PodNotCreated"
	// ReasonJobNotCreated: the API server refused the Job.
	ReasonJobNotCreated = "JobNotCreated"
	// ReasonPodStuck: the pod does not start (mounts, sandbox, network).
	ReasonPodStuck = "PodStuck"
	// ReasonImageVanished: a verification did not find the image any more.
	ReasonImageVanished = "ImageVanished"
	// ReasonImageInUse: not removed, a pod on the node uses the image.
	ReasonImageInUse = "ImageInUse"
	// ReasonImagePinned: not removed, the container runtime has it pinned.
	ReasonImagePinned = "ImagePinned"
	// ReasonImageShared: not removed, another name of the same image is wanted
	// or was never asked to be removed. Not a failure.
	ReasonImageShared = "ImageShared"
	// ReasonImageRemovalFailed: any other failure of a removal.
	ReasonImageRemovalFailed = "ImageRemovalFailed"
	// ReasonRemovalDisabled: the controller runs with --removal=false.
	ReasonRemovalDisabled = "RemovalDisabled"
)

// Reasons a node waits: status.nodes.waitingReasons.
const (
	WaitingNotReady       = "NotReady"
	WaitingUnschedulable  = "Unschedulable"
	WaitingDeleting       = "Deleting"
	WaitingDiskPressure   = "DiskPressure"
	WaitingMemoryPressure = "MemoryPressure"
	WaitingPIDPressure    = "PIDPressure"
	WaitingTaint          = "TaintNotTolerated"
	WaitingNetwork        = "NetworkUnavailable"
	WaitingPodRefused     = "PodRefused"
	WaitingVirtualNode    = "VirtualNode"
	WaitingUnsupportedOS  = "UnsupportedOS"
	WaitingSuspended      = "Suspended"
)
