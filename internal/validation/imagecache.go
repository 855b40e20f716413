// Package validation holds the rules an ImageCache must keep. The webhook, the
// controller and the command line call the same ones. They include what the
// schema of the CRD refuses, so that every refusal can say in words what is
// wrong and where, and what no schema can express.
package validation

import (
	"fmt"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/reference"
)

// Bounds of an ImageCache, the same as in the schema of the CRD.
const (
	MaxLists           = 64
	MaxImages          = 2048
	MaxReferenceLength = 512
	MaxNodeLabels      = 64
	MaxPullSecrets     = 32
	MaxTolerations     = 64

	MinPullDeadline    = time.Second
	MinRefreshInterval = 10 * time.Second
)

// The original's words, which scripts may match.
const (
	messageNoImages   = "No images specified within image list"
	messageDuplicates = "Duplicate image names within image list: %s"
)

// ImageCache returns every mistake of an ImageCache's spec, with its place.
func ImageCache(ic *v1alpha2.ImageCache) field.ErrorList {
	spec, path := &ic.Spec, field.NewPath("spec")
	var errs field.ErrorList
	errs = append(errs, lists(spec.CacheSpec, path.Child("cacheSpec"))...)
	errs = append(errs, pullSecrets(spec.ImagePullSecrets, path.Child("imagePullSecrets"))...)
	errs = append(errs, policies(spec, path)...)
	errs = append(errs, durations(spec, path)...)
	errs = append(errs, tolerations(spec.Tolerations, path.Child("tolerations"))...)
	return errs
}

func lists(lists []v1alpha2.CacheSpecImages, path *field.Path) field.ErrorList {
	if lists == nil {
		return field.ErrorList{field.Required(path, "an ImageCache lists the images to cache")}
	}
	errs := atMost(len(lists), MaxLists, path)
	for i := range lists {
		list, at := &lists[i], path.Index(i)
		errs = append(errs, images(list.Images, at.Child("images"))...)
		errs = append(errs, nodeSelector(list.NodeSelector, at.Child("nodeSelector"))...)
		errs = append(errs, nodeAffinity(list.NodeAffinity, at.Child("nodeAffinity"))...)
	}
	return errs
}

// images checks one list. The same image twice is a mistake however it is
// written: nginx and docker.io/library/nginx:latest are one.
func images(images []v1alpha2.Image, path *field.Path) field.ErrorList {
	if len(images) == 0 {
		return field.ErrorList{field.Required(path, messageNoImages)}
	}
	errs := atMost(len(images), MaxImages, path)
	first := make(map[string]int, len(images))
	for i, image := range images {
		ref, err := readReference(string(image), path.Index(i))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if other, found := first[ref]; found {
			errs = append(errs, duplicate(image, images[other], path, i, other))
			continue
		}
		first[ref] = i
	}
	return errs
}

func readReference(image string, path *field.Path) (string, *field.Error) {
	if utf8.RuneCountInString(image) > MaxReferenceLength {
		return "", field.TooLong(path, image, MaxReferenceLength)
	}
	ref, _, err := reference.Normalise(image)
	if err != nil {
		return "", field.Invalid(path, image, err.Error())
	}
	return ref, nil
}

func duplicate(image, earlier v1alpha2.Image, path *field.Path, at, other int) *field.Error {
	err := field.Duplicate(path.Index(at), string(image))
	err.Detail = fmt.Sprintf(messageDuplicates, image)
	if image != earlier {
		err.Detail += fmt.Sprintf(" (the same image as %s: %s)", path.Index(other), earlier)
	}
	return err
}

func pullSecrets(secrets []corev1.LocalObjectReference, path *field.Path) field.ErrorList {
	errs := atMost(len(secrets), MaxPullSecrets, path)
	for i, secret := range secrets {
		at := path.Index(i).Child("name")
		if secret.Name == "" {
			errs = append(errs, field.Required(at, "the name of a Secret in the ImageCache's namespace"))
			continue
		}
		for _, problem := range validation.IsDNS1123Subdomain(secret.Name) {
			errs = append(errs, field.Invalid(at, secret.Name, problem))
		}
	}
	return errs
}

func policies(spec *v1alpha2.ImageCacheSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch spec.ImagePullPolicy {
	case "", corev1.PullAlways, corev1.PullIfNotPresent:
	default:
		errs = append(errs, field.NotSupported(path.Child("imagePullPolicy"), spec.ImagePullPolicy,
			[]corev1.PullPolicy{corev1.PullAlways, corev1.PullIfNotPresent}))
	}
	switch spec.DeletionPolicy {
	case "", v1alpha2.DeletionPolicyRetain, v1alpha2.DeletionPolicyPurge:
	default:
		errs = append(errs, field.NotSupported(path.Child("deletionPolicy"), spec.DeletionPolicy,
			[]v1alpha2.DeletionPolicy{v1alpha2.DeletionPolicyRetain, v1alpha2.DeletionPolicyPurge}))
	}
	return errs
}

func durations(spec *v1alpha2.ImageCacheSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if d := spec.PullDeadline; d != nil && d.Duration < MinPullDeadline {
		errs = append(errs, tooShort(path.Child("pullDeadline"), d, "must be at least 1s"))
	}
	if d := spec.RefreshInterval; d != nil && d.Duration != 0 && d.Duration < MinRefreshInterval {
		errs = append(errs, tooShort(path.Child("refreshInterval"), d, "must be 0s (off) or at least 10s"))
	}
	return errs
}

func tooShort(path *field.Path, d *metav1.Duration, rule string) *field.Error {
	return field.Invalid(path, d.Duration.String(), rule)
}

func atMost(n, limit int, path *field.Path) field.ErrorList {
	if n <= limit {
		return nil
	}
	return field.ErrorList{field.TooMany(path, n, limit)}
}
