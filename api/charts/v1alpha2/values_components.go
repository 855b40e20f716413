package v1alpha2

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Scheduling says where pods run and what they may use.
type Scheduling struct {
	// resources of the containers.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// nodeSelector has the node labels that the pods need.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// tolerations of the pods.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// affinity of the pods.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`

	// topologySpreadConstraints of the pods; [] for none.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitzero"`
}

// ComponentSpec is one program. What it says about scheduling stands in place of
// what is shared.
type ComponentSpec struct {
	// hostNetwork runs the pods in the host's network, which Pod Security allows
	// on level privileged only.
	// +optional
	HostNetwork *bool `json:"hostNetwork,omitempty"`

	// priorityClassName of the pods.
	// +optional
	PriorityClassName LongName `json:"priorityClassName,omitempty"`

	// metricsPort is the port of the metrics.
	// +optional
	MetricsPort *Port `json:"metricsPort,omitempty"`

	// healthPort is the port of the probes.
	// +optional
	HealthPort *Port `json:"healthPort,omitempty"`

	Scheduling `json:",inline"`
}

// WebhookServerSpec is the webhook server.
type WebhookServerSpec struct {
	// enable installs it; the original's name for webhook.enabled. Both must be true.
	// +optional
	Enable *bool `json:"enable,omitempty"`

	ComponentSpec `json:",inline"`
}

// WebhookSpec is the admission of ImageCaches.
type WebhookSpec struct {
	// enabled installs the webhook server and its configuration. Without them the
	// rules of the CRD remain, and the controller reports the others in status.
	// +optional
	Enabled *bool `json:"enabled,omitempty"`

	// selfSigned lets the server make and rotate its own certificate.
	// +optional
	SelfSigned *bool `json:"selfSigned,omitempty"`

	// certificateSecret is the Secret of the certificate.
	// +optional
	CertificateSecret LongName `json:"certificateSecret,omitempty"`

	// certManager makes the certificate instead.
	// +optional
	CertManager *CertManagerSpec `json:"certManager,omitempty"`
}

// CertManagerSpec is about cert-manager, which must be in the cluster.
type CertManagerSpec struct {
	// enabled uses cert-manager.
	// +optional
	Enabled *bool `json:"enabled,omitempty"`

	// issuerRef is the issuer; left out, a self-signed one of the chart's own.
	// +optional
	IssuerRef *IssuerReference `json:"issuerRef,omitempty"`

	// duration is how long a certificate is valid.
	// +optional
	Duration Duration `json:"duration,omitempty"`

	// renewBefore is how long before its end it is replaced.
	// +optional
	RenewBefore Duration `json:"renewBefore,omitempty"`
}

// IssuerReference names an Issuer or a ClusterIssuer.
type IssuerReference struct {
	// name of the issuer.
	// +optional
	Name LongName `json:"name,omitempty"`
	// kind of the issuer: Issuer, ClusterIssuer, or that of an external one.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`
	// group of the issuer.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group,omitempty"`
}

// ValidatingWebhookSpec is the ValidatingWebhookConfiguration.
type ValidatingWebhookSpec struct {
	// create makes it. With false it must exist.
	// +optional
	Create *bool `json:"create,omitempty"`

	// name of it.
	// +optional
	Name LongName `json:"name,omitempty"`

	// annotations of it.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Annotations map[string]string `json:"annotations,omitempty"`

	// failurePolicy says what happens to an ImageCache while no webhook server
	// answers. Deleting, purging and refreshing never wait for one.
	// +optional
	// +kubebuilder:validation:Enum=Fail;Ignore
	FailurePolicy string `json:"failurePolicy,omitempty"`

	// timeoutSeconds is how long the API server waits for an answer.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=30
	TimeoutSeconds *int32 `json:"timeoutSeconds,omitempty"`

	// namespaceSelector selects the namespaces whose ImageCaches are looked at;
	// left out, all.
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`
}

// ServiceSpec is a Service.
type ServiceSpec struct {
	// type of it.
	// +optional
	// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
	Type string `json:"type,omitempty"`

	// port of it.
	// +optional
	Port *Port `json:"port,omitempty"`
}

// WebhookServiceSpec is the Service of the webhook server.
type WebhookServiceSpec struct {
	ServiceSpec `json:",inline"`

	// create makes it. With false it must exist.
	// +optional
	Create *bool `json:"create,omitempty"`

	// targetPort is the pods' port: a number, or https for args.webhookServerPort.
	// +optional
	// +kubebuilder:validation:XIntOrString
	TargetPort *intstr.IntOrString `json:"targetPort,omitempty"`

	// name of it.
	// +optional
	Name OptionalName `json:"name,omitempty"`
}
