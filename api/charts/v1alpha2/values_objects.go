package v1alpha2

import networkingv1 "k8s.io/api/networking/v1"

// ImageSpec has repositories, tags and digests.
type ImageSpec struct {
	// kubefledgedControllerRepository is the repository of the controller's image.
	// +optional
	KubefledgedControllerRepository Repository `json:"kubefledgedControllerRepository,omitempty"`
	// kubefledgedControllerTag is its tag.
	// +optional
	KubefledgedControllerTag Tag `json:"kubefledgedControllerTag,omitempty"`
	// kubefledgedControllerDigest is its digest.
	// +optional
	KubefledgedControllerDigest Digest `json:"kubefledgedControllerDigest,omitempty"`

	// kubefledgedCRIClientRepository is the repository of the helper's image,
	// which the Jobs run on nodes.
	// +optional
	KubefledgedCRIClientRepository Repository `json:"kubefledgedCRIClientRepository,omitempty"`
	// kubefledgedCRIClientTag is its tag.
	// +optional
	KubefledgedCRIClientTag Tag `json:"kubefledgedCRIClientTag,omitempty"`
	// kubefledgedCRIClientDigest is its digest.
	// +optional
	KubefledgedCRIClientDigest Digest `json:"kubefledgedCRIClientDigest,omitempty"`

	// kubefledgedWebhookServerRepository is the repository of the webhook
	// server's image; left out, the controller's image, which has both programs.
	// +optional
	KubefledgedWebhookServerRepository Repository `json:"kubefledgedWebhookServerRepository,omitempty"`
	// kubefledgedWebhookServerTag is its tag.
	// +optional
	KubefledgedWebhookServerTag Tag `json:"kubefledgedWebhookServerTag,omitempty"`
	// kubefledgedWebhookServerDigest is its digest.
	// +optional
	KubefledgedWebhookServerDigest Digest `json:"kubefledgedWebhookServerDigest,omitempty"`

	// tag of all images that have neither a tag nor a digest of their own.
	// +optional
	Tag Tag `json:"tag,omitempty"`

	// pullPolicy of the controller's and the webhook server's image.
	// +optional
	PullPolicy PullPolicy `json:"pullPolicy,omitempty"`

	// busyboxImageRepository is ignored: no busybox is used.
	// +optional
	BusyboxImageRepository string `json:"busyboxImageRepository,omitempty"`
	// busyboxImageVersion is ignored: no busybox is used.
	// +optional
	BusyboxImageVersion string `json:"busyboxImageVersion,omitempty"`
}

// CommandSpec has the programs within the images.
type CommandSpec struct {
	// kubefledgedControllerCommand is the controller's; [] for the image's entry point.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	KubefledgedControllerCommand []string `json:"kubefledgedControllerCommand,omitzero"`
	// kubefledgedWebhookServerCommand is the webhook server's; [] for the image's
	// entry point.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	KubefledgedWebhookServerCommand []string `json:"kubefledgedWebhookServerCommand,omitzero"`
}

// RemovalSpec is about removing images from nodes.
type RemovalSpec struct {
	// enabled lets images be removed that no ImageCache lists any more, and on purge.
	// +optional
	Enabled *bool `json:"enabled,omitempty"`

	// namespace of the Jobs that remove images; left out, that of this object
	// with -node appended. Nobody else should have rights there.
	// +optional
	Namespace OptionalName `json:"namespace,omitempty"`

	// createNamespace creates it, with the Pod Security level that it needs.
	// +optional
	CreateNamespace *bool `json:"createNamespace,omitempty"`
}

// ServiceAccountSpec is about the service accounts.
type ServiceAccountSpec struct {
	CreatedSpec `json:",inline"`

	// annotations of both.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Annotations map[string]string `json:"annotations,omitempty"`
}

// ClusterRoleSpec is about the ClusterRoles and Roles.
type ClusterRoleSpec struct {
	CreatedSpec `json:",inline"`

	// aggregate creates ClusterRoles that let the built-in roles admin and edit
	// write, and view read ImageCaches.
	// +optional
	Aggregate *bool `json:"aggregate,omitempty"`
}

// CreatedSpec is about objects that exist for each of the two programs.
type CreatedSpec struct {
	// create makes them. With false they must exist.
	// +optional
	Create *bool `json:"create,omitempty"`
	// name of the controller's.
	// +optional
	Name LongName `json:"name,omitempty"`
	// webhookServerName is the name of the webhook server's.
	// +optional
	WebhookServerName LongName `json:"webhookServerName,omitempty"`
}

// PriorityClassSpec has PriorityClasses of the chart's own.
type PriorityClassSpec struct {
	// create makes them: one for the programs, one for the Jobs.
	// +optional
	Create *bool `json:"create,omitempty"`
	// value of that for the programs.
	// +optional
	// +kubebuilder:validation:Maximum=1000000000
	Value *int32 `json:"value,omitempty"`
	// jobsValue is the value of that for the Jobs, which preempt nothing.
	// +optional
	// +kubebuilder:validation:Maximum=1000000000
	JobsValue *int32 `json:"jobsValue,omitempty"`
}

// PodDisruptionBudgetSpec protects what has more than one replica.
type PodDisruptionBudgetSpec struct {
	// enabled creates them.
	// +optional
	Enabled *bool `json:"enabled,omitempty"`
	// maxUnavailable is how many pods of one kind a drain may end at once.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MaxUnavailable *int32 `json:"maxUnavailable,omitempty"`
}

// NetworkPolicySpec is about NetworkPolicies.
type NetworkPolicySpec struct {
	// enabled creates them.
	// +optional
	Enabled *bool `json:"enabled,omitempty"`
	// apiServerPorts are those of the API server, as the pods reach it.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	APIServerPorts []Port `json:"apiServerPorts,omitzero"`
	// apiServerCIDRs are the address ranges of the API server; left out, all.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=64
	APIServerCIDRs []string `json:"apiServerCIDRs,omitempty"`
	// metricsFrom is who may read the metrics; left out, everybody.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	MetricsFrom []networkingv1.NetworkPolicyPeer `json:"metricsFrom,omitempty"`
}

// MetricsSpec is about metrics.
type MetricsSpec struct {
	// enabled serves them.
	// +optional
	Enabled *bool `json:"enabled,omitempty"`
	// serviceMonitor has ServiceMonitors of the Prometheus operator.
	// +optional
	ServiceMonitor *ServiceMonitorSpec `json:"serviceMonitor,omitempty"`
	// prometheusRule has alerts of the Prometheus operator.
	// +optional
	PrometheusRule *PrometheusRuleSpec `json:"prometheusRule,omitempty"`
	// dashboard is a ConfigMap for Grafana's sidecar.
	// +optional
	Dashboard *DashboardSpec `json:"dashboard,omitempty"`
}

// ServiceMonitorSpec is about ServiceMonitors.
type ServiceMonitorSpec struct {
	// enabled creates them.
	// +optional
	Enabled *bool `json:"enabled,omitempty"`
	// interval of the readings; left out, Prometheus' own setting.
	// +optional
	Interval Duration `json:"interval,omitempty"`
	// scrapeTimeout is how long one reading may take.
	// +optional
	ScrapeTimeout Duration `json:"scrapeTimeout,omitempty"`
	// labels by which a Prometheus finds them.
	// +optional
	Labels map[string]string `json:"labels,omitempty"`
}

// PrometheusRuleSpec is about alerts.
type PrometheusRuleSpec struct {
	// enabled creates them.
	// +optional
	Enabled *bool `json:"enabled,omitempty"`
	// labels by which a Prometheus finds them.
	// +optional
	Labels map[string]string `json:"labels,omitempty"`
	// runbookURL is the page with what to do about each alert.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	RunbookURL string `json:"runbookURL,omitempty"`
}

// DashboardSpec is about the dashboard.
type DashboardSpec struct {
	// enabled creates the ConfigMap.
	// +optional
	Enabled *bool `json:"enabled,omitempty"`
	// labels by which the sidecar finds it.
	// +optional
	Labels map[string]string `json:"labels,omitempty"`
	// annotations of it.
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
}
