package v1alpha2

// KindKubeFledged is the kind of this package's object.
const KindKubeFledged = "KubeFledged"

// FinalizerUninstall on a KubeFledged lets the operator take down what it
// installed before the object goes.
const FinalizerUninstall = "charts.helm.kubefledged.io/uninstall"

// AnnotationAdopt on a KubeFledged, with the value true, lets the operator take
// over a Helm release of the same name that somebody else has made.
const AnnotationAdopt = "charts.helm.kubefledged.io/adopt-release"

// Label of everything the operator has installed, and of nothing else: its
// informers hold no other objects.
const (
	LabelInstalledBy      = "charts.helm.kubefledged.io/installed-by"
	LabelInstalledByValue = "kubefledged-operator"
)

// Labels and annotations of Helm's that say which release an object belongs to.
const (
	LabelManagedBy             = "app.kubernetes.io/managed-by"
	LabelManagedByValue        = "Helm"
	LabelInstance              = "app.kubernetes.io/instance"
	AnnotationReleaseName      = "meta.helm.sh/release-name"
	AnnotationReleaseNamespace = "meta.helm.sh/release-namespace"
)
