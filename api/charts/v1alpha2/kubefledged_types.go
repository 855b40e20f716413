package v1alpha2

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KubeFledgedSpec is what differs from the chart's values: everything may be
// left out. "Shared" means of the controller and of the webhook server.
type KubeFledgedSpec struct {
	// controllerReplicaCount is the number of controllers; one works, the others
	// take over when it ends.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	ControllerReplicaCount *int32 `json:"controllerReplicaCount,omitempty"`

	// webhookServerReplicaCount is the number of webhook servers, all of which answer.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	WebhookServerReplicaCount *int32 `json:"webhookServerReplicaCount,omitempty"`

	// controller is the image-cache controller.
	// +optional
	Controller *ComponentSpec `json:"controller,omitempty"`

	// webhookServer is the server that refuses ImageCaches that cannot work.
	// +optional
	WebhookServer *WebhookServerSpec `json:"webhookServer,omitempty"`

	// webhook is the admission of ImageCaches.
	// +optional
	Webhook *WebhookSpec `json:"webhook,omitempty"`

	// image has repositories, tags and digests. A digest wins over a tag. What is
	// left out is what the operator was released with.
	// +optional
	Image *ImageSpec `json:"image,omitempty"`

	// command has the programs within the images.
	// +optional
	Command *CommandSpec `json:"command,omitempty"`

	// args are the flags of the programs.
	// +optional
	Args *ArgsSpec `json:"args,omitempty"`

	// removal is about removing images from nodes.
	// +optional
	Removal *RemovalSpec `json:"removal,omitempty"`

	// imagePullSecrets names pull secrets of the controller's and the webhook
	// server's images, in the namespace of this object.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`

	// nameOverride stands in place of the chart's name in the names of objects.
	// +optional
	NameOverride OptionalName `json:"nameOverride,omitempty"`

	// fullnameOverride stands in place of this object's and the chart's name in
	// the names of objects.
	// +optional
	FullnameOverride OptionalName `json:"fullnameOverride,omitempty"`

	// commonLabels are added to every object.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	CommonLabels map[string]string `json:"commonLabels,omitempty"`

	// serviceAccount is about the service accounts.
	// +optional
	ServiceAccount *ServiceAccountSpec `json:"serviceAccount,omitempty"`

	// clusterRole is about the ClusterRoles and Roles.
	// +optional
	ClusterRole *ClusterRoleSpec `json:"clusterRole,omitempty"`

	// clusterRoleBinding is about the ClusterRoleBindings and RoleBindings.
	// +optional
	ClusterRoleBinding *CreatedSpec `json:"clusterRoleBinding,omitempty"`

	// validatingWebhook is the ValidatingWebhookConfiguration.
	// +optional
	ValidatingWebhook *ValidatingWebhookSpec `json:"validatingWebhook,omitempty"`

	// podSecurityContext of the pods, shared.
	// +optional
	PodSecurityContext *corev1.PodSecurityContext `json:"podSecurityContext,omitempty"`

	// securityContext of the containers, shared.
	// +optional
	SecurityContext *corev1.SecurityContext `json:"securityContext,omitempty"`

	// service is that of the controller's metrics.
	// +optional
	Service *ServiceSpec `json:"service,omitempty"`

	// webhookService is that of the webhook server.
	// +optional
	WebhookService *WebhookServiceSpec `json:"webhookService,omitempty"`

	// ingress is ignored: nothing here is reached through an Ingress.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	Ingress *Ignored `json:"ingress,omitempty"`

	Scheduling `json:",inline"`

	// podLabels are added to the pods, shared.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	PodLabels map[string]string `json:"podLabels,omitempty"`

	// podAnnotations are added to the pods, shared.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	PodAnnotations map[string]string `json:"podAnnotations,omitempty"`

	// priorityClass has PriorityClasses of the chart's own.
	// +optional
	PriorityClass *PriorityClassSpec `json:"priorityClass,omitempty"`

	// podDisruptionBudget protects what has more than one replica.
	// +optional
	PodDisruptionBudget *PodDisruptionBudgetSpec `json:"podDisruptionBudget,omitempty"`

	// networkPolicy needs a network plugin that enforces it.
	// +optional
	NetworkPolicy *NetworkPolicySpec `json:"networkPolicy,omitempty"`

	// metrics are served and collected.
	// +optional
	Metrics *MetricsSpec `json:"metrics,omitempty"`
}

// KubeFledged is one installation of the image cache. A cluster has one: the
// oldest is installed, later ones are refused.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=fledged
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Degraded",type=string,JSONPath=`.status.conditions[?(@.type=="Degraded")].status`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.appVersion`
// +kubebuilder:printcolumn:name="Revision",type=integer,JSONPath=`.status.release.revision`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Degraded")].message`
type KubeFledged struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what differs from the chart's values.
	// +optional
	Spec KubeFledgedSpec `json:"spec,omitempty"`
	// status is what the operator has observed.
	// +optional
	Status KubeFledgedStatus `json:"status,omitempty"`
}

// KubeFledgedList is a list of KubeFledgeds.
// +kubebuilder:object:root=true
type KubeFledgedList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []KubeFledged `json:"items"`
}
