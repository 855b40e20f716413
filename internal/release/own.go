package release

import (
	"errors"
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
)

// ErrNothingRendered says that the chart makes no object with the given values.
var ErrNothingRendered = errors.New("the chart makes no object with these values")

// Owner is what the objects of a release belong to.
type Owner struct {
	// Release is the name of the release, Namespace its namespace.
	Release, Namespace string
	// KubeFledged owns what is in its namespace.
	KubeFledged metav1.OwnerReference
	// OfNamespace is a reference to the namespace. It owns everything else: who
	// deletes the namespace before the KubeFledged leaves nothing behind.
	OfNamespace metav1.OwnerReference
}

// Scope tells whether objects of a kind are in namespaces.
type Scope func(schema.GroupVersionKind) (namespaced bool, err error)

// Own returns a rendered manifest with what ties its objects to their release:
// namespaces, owners, Helm's labels and annotations, and the label by which our
// informers find them. Helm itself adds its own only to what it sends, so a
// repair from the stored manifest would lose them.
func Own(manifest string, owner Owner, namespaced Scope) (string, error) {
	objects, err := Parse(manifest)
	if err != nil {
		return "", err
	}
	if len(objects) == 0 {
		return "", ErrNothingRendered
	}
	for _, object := range objects {
		inNamespace, err := namespaced(object.GroupVersionKind())
		if err != nil {
			return "", err
		}
		owner.mark(object, inNamespace)
	}
	return Print(objects)
}

func (o *Owner) mark(object *Object, namespaced bool) {
	if namespaced && object.GetNamespace() == "" {
		object.SetNamespace(o.Namespace)
	}
	if !namespaced {
		object.SetNamespace("")
	}
	labels := map[string]string{v1alpha2.LabelInstance: o.Release}
	maps.Copy(labels, object.GetLabels())
	labels[v1alpha2.LabelManagedBy] = v1alpha2.LabelManagedByValue
	labels[v1alpha2.LabelInstalledBy] = v1alpha2.LabelInstalledByValue
	object.SetLabels(labels)
	annotations := maps.Clone(object.GetAnnotations())
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[v1alpha2.AnnotationReleaseName] = o.Release
	annotations[v1alpha2.AnnotationReleaseNamespace] = o.Namespace
	object.SetAnnotations(annotations)
	owner := o.OfNamespace
	if object.GetNamespace() == o.Namespace {
		owner = o.KubeFledged
	}
	object.SetOwnerReferences([]metav1.OwnerReference{owner})
}

// BelongsTo tells whether an object in the cluster carries the marks of a
// release, without which it is not ours to delete.
func BelongsTo(object metav1.Object, release, namespace string) bool {
	annotations := object.GetAnnotations()
	return object.GetLabels()[v1alpha2.LabelManagedBy] == v1alpha2.LabelManagedByValue &&
		annotations[v1alpha2.AnnotationReleaseName] == release &&
		annotations[v1alpha2.AnnotationReleaseNamespace] == namespace
}
