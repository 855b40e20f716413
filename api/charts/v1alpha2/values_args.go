package v1alpha2

import "k8s.io/apimachinery/pkg/util/intstr"

// ArgsSpec are the flags of the programs.
type ArgsSpec struct {
	// controllerLogLevel is the least severity of what the controller logs.
	// +optional
	ControllerLogLevel LogLevel `json:"controllerLogLevel,omitempty"`
	// controllerLogVerbosity is the detail of its log.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	ControllerLogVerbosity *int32 `json:"controllerLogVerbosity,omitempty"`

	// controllerImagePullDeadlineDuration is the longest time for pulling one
	// image onto one node.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!self.matches('^(0|([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+)$') || duration(self) >= duration('1s')",message="must be at least 1s"
	ControllerImagePullDeadlineDuration Duration `json:"controllerImagePullDeadlineDuration,omitempty"`
	// controllerImageCacheRefreshFrequency is the time between two refreshes; 0s
	// turns them off.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!self.matches('^(0|([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+)$') || duration(self) == duration('0s') || duration(self) >= duration('10s')",message="must be 0s (off) or at least 10s"
	ControllerImageCacheRefreshFrequency Duration `json:"controllerImageCacheRefreshFrequency,omitempty"`
	// controllerVerifyInterval is the time between two looks whether the images
	// are still on the nodes; 0s turns them off.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!self.matches('^(0|([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+)$') || duration(self) == duration('0s') || duration(self) >= duration('1m')",message="must be 0s (off) or at least 1m"
	ControllerVerifyInterval Duration `json:"controllerVerifyInterval,omitempty"`
	// controllerImagePullPolicy of images with a fixed tag or digest.
	// +optional
	// +kubebuilder:validation:Enum=Always;IfNotPresent
	ControllerImagePullPolicy string `json:"controllerImagePullPolicy,omitempty"`
	// controllerPullMethod is how kubelets are made to pull.
	// +optional
	// +kubebuilder:validation:Enum=auto;image-volume;exec
	ControllerPullMethod string `json:"controllerPullMethod,omitempty"`
	// controllerImagesPerJob is the most images of one Job: auto, or up to 50.
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^(auto|[1-9]|[1-4][0-9]|50)$`
	ControllerImagesPerJob *intstr.IntOrString `json:"controllerImagesPerJob,omitempty"`

	// controllerJobsMaxSurge is the most unfinished Jobs in the cluster; 0 for no
	// cap but that of each node.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ControllerJobsMaxSurge *int32 `json:"controllerJobsMaxSurge,omitempty"`
	// controllerJobsPerRegistry is the most unfinished Jobs that pull from one
	// registry; 0 for no cap.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ControllerJobsPerRegistry *int32 `json:"controllerJobsPerRegistry,omitempty"`
	// controllerPullsPerNode is the number of pull Jobs one node may have at once.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10
	ControllerPullsPerNode *int32 `json:"controllerPullsPerNode,omitempty"`
	// controllerWorkers is the number of nodes looked at side by side.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	ControllerWorkers *int32 `json:"controllerWorkers,omitempty"`

	// controllerUnselectedGrace is how long a node keeps its images when a change
	// of its labels has left it unselected.
	// +optional
	ControllerUnselectedGrace Duration `json:"controllerUnselectedGrace,omitempty"`
	// controllerCRISocketPath is the socket of the container runtime on every node.
	// +optional
	// +kubebuilder:validation:MaxLength=114
	// +kubebuilder:validation:Pattern=`^((unix://)?/[^/].*)?$`
	ControllerCRISocketPath string `json:"controllerCRISocketPath,omitempty"`
	// controllerImageDeleteJobHostNetwork runs the pods that remove images in the
	// host's network.
	// +optional
	ControllerImageDeleteJobHostNetwork *bool `json:"controllerImageDeleteJobHostNetwork,omitempty"`

	// controllerServiceAccountName is the service account of the pods that pull,
	// in the namespace of each ImageCache.
	// +optional
	ControllerServiceAccountName LongName `json:"controllerServiceAccountName,omitempty"`
	// controllerJobPriorityClassName is the PriorityClass of the Jobs' pods.
	// +optional
	ControllerJobPriorityClassName LongName `json:"controllerJobPriorityClassName,omitempty"`
	// controllerJobRetentionPolicy is what becomes of a Job whose outcome is recorded.
	// +optional
	// +kubebuilder:validation:Enum=delete;retain
	ControllerJobRetentionPolicy string `json:"controllerJobRetentionPolicy,omitempty"`
	// controllerJobRetentionTTL is how long finished Jobs are retained.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!self.matches('^(0|([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+)$') || (duration(self) >= duration('1m') && duration(self) <= duration('8760h'))",message="must be from 1m to 8760h"
	ControllerJobRetentionTTL Duration `json:"controllerJobRetentionTTL,omitempty"`
	// controllerHelperImagePullPolicy is the pull policy of the helper's image.
	// +optional
	ControllerHelperImagePullPolicy PullPolicy `json:"controllerHelperImagePullPolicy,omitempty"`
	// controllerHelperImagePullSecrets names pull secrets of the helper's image,
	// in the namespace of each ImageCache and in that of the removals.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	ControllerHelperImagePullSecrets []LongName `json:"controllerHelperImagePullSecrets,omitempty"`
	// controllerPodLabels are added to Jobs and their pods.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	ControllerPodLabels map[string]string `json:"controllerPodLabels,omitempty"`
	// controllerPodAnnotations are added to Jobs and their pods.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	ControllerPodAnnotations map[string]string `json:"controllerPodAnnotations,omitempty"`

	// controllerLeaderElect lets only one of several controllers work.
	// +optional
	ControllerLeaderElect *bool `json:"controllerLeaderElect,omitempty"`
	// controllerExtraArgs are more flags of the controller.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	ControllerExtraArgs []string `json:"controllerExtraArgs,omitempty"`

	// webhookServerLogLevel is the least severity of what the webhook server logs.
	// +optional
	WebhookServerLogLevel LogLevel `json:"webhookServerLogLevel,omitempty"`
	// webhookServerLogVerbosity is the detail of its log.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	WebhookServerLogVerbosity *int32 `json:"webhookServerLogVerbosity,omitempty"`
	// webhookServerCertFile is where the certificate is, if the server does not
	// make it itself.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	WebhookServerCertFile string `json:"webhookServerCertFile,omitempty"`
	// webhookServerKeyFile is where its key is: in the same directory.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	WebhookServerKeyFile string `json:"webhookServerKeyFile,omitempty"`
	// webhookServerPort is the port that the server listens on.
	// +optional
	WebhookServerPort *Port `json:"webhookServerPort,omitempty"`
	// webhookServerExtraArgs are more flags of the webhook server.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	WebhookServerExtraArgs []string `json:"webhookServerExtraArgs,omitempty"`
}
