// Package v1alpha2 holds the kubefledged.io/v1alpha2 API: ImageCache, which
// users write, and NodeCache, the controller's record of one node.
//
// Names, status words and messages are those of the original kube-fledged, so
// that its manifests and scripts keep working; everything new is optional.
//
// +kubebuilder:object:generate=true
// +groupName=kubefledged.io
package v1alpha2
