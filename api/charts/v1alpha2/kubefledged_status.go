package v1alpha2

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// KubeFledgedStatus is what the operator has observed.
type KubeFledgedStatus struct {
	// observedGeneration is the generation of the spec that the rest is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Progressing and Degraded.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// release is the Helm release.
	// +optional
	Release *ReleaseStatus `json:"release,omitempty"`

	// chartVersion is the version of the chart that is installed.
	// +optional
	ChartVersion string `json:"chartVersion,omitempty"`

	// appVersion is the version of the programs that is installed.
	// +optional
	AppVersion string `json:"appVersion,omitempty"`

	// operatorVersion is the version of the operator that wrote this status.
	// +optional
	OperatorVersion string `json:"operatorVersion,omitempty"`

	// components are the Deployments of the release.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Components []ComponentStatus `json:"components,omitempty"`
}

// ReleaseStatus is the newest record of the Helm release, as `helm status` shows it.
type ReleaseStatus struct {
	// name of the release: that of the KubeFledged, in the same namespace.
	Name string `json:"name"`
	// revision counts the operations on the release.
	Revision int `json:"revision"`
	// status is Helm's word for the revision.
	Status string `json:"status"`
}

// ComponentStatus says how one Deployment is.
type ComponentStatus struct {
	// name of the Deployment.
	Name string `json:"name"`
	// replicas that the release asks for.
	Replicas int32 `json:"replicas"`
	// readyReplicas are those that are ready, of any version.
	ReadyReplicas int32 `json:"readyReplicas"`
	// updatedReplicas are those of the newest version.
	UpdatedReplicas int32 `json:"updatedReplicas"`
	// available tells whether the component can do its work.
	Available bool `json:"available"`
	// message says why it is not, in the words of the Deployment or its pods.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}
