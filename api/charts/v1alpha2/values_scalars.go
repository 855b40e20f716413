package v1alpha2

// Duration is a time as Go writes it: 90s, 5m, 1h30m.
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+)$')",message="must be a duration such as 90s, 5m or 1h30m"
type Duration string

// Repository is an image reference without tag and digest.
// +kubebuilder:validation:MaxLength=255
// +kubebuilder:validation:Pattern=`^([a-zA-Z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$|^$`
type Repository string

// Tag is the tag of an image; empty for the default.
// +kubebuilder:validation:MaxLength=128
// +kubebuilder:validation:Pattern=`^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$`
type Tag string

// Digest is the digest of an image; empty for none.
// +kubebuilder:validation:MaxLength=135
// +kubebuilder:validation:Pattern=`^(sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128})?$`
type Digest string

// OptionalName is the name of an object; empty for the default.
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$`
type OptionalName string

// LongName is the name of an object that may have dots; empty for the default.
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:Pattern=`^([a-z0-9]([-.a-z0-9]*[a-z0-9])?)?$`
type LongName string

// Port is a TCP port.
// +kubebuilder:validation:Minimum=1
// +kubebuilder:validation:Maximum=65535
type Port int32

// LogLevel is the least severity of what is logged.
// +kubebuilder:validation:Enum=INFO;WARNING;ERROR;FATAL
type LogLevel string

// PullPolicy says when a kubelet asks the registry.
// +kubebuilder:validation:Enum=Always;IfNotPresent;Never
type PullPolicy string

// Ignored is a value that the original had and that means nothing any more.
type Ignored struct{}
