// Package v1alpha2 holds the charts.helm.kubefledged.io/v1alpha2 API:
// KubeFledged, which stands for one installation of the image cache.
//
// The fields of its spec are the values of the chart in helm-charts/kubefledged,
// by the same names; those that the chart of the original kube-fledged had keep
// the names they have there.
//
// +kubebuilder:object:generate=true
// +groupName=charts.helm.kubefledged.io
package v1alpha2
