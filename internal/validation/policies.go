package validation

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/reference"
)

// Pulled holds the images of one ImageCache by how they are pulled, as normalised
// references, each once.
type Pulled struct {
	// Cache is the name of the ImageCache.
	Cache string
	// Secrets are the names of its pull secrets, as one string.
	Secrets string
	// Always are the images that are pulled again, IfNotPresent the others.
	Always, IfNotPresent []string
}

// PulledBy returns the images of an ImageCache by how they are pulled. An image
// with a fixed tag counts as IfNotPresent unless the spec says otherwise, which
// is the default of the controller's --image-pull-policy.
func PulledBy(ic *v1alpha2.ImageCache) Pulled {
	pulled := Pulled{Cache: ic.Name, Secrets: SecretNames(ic.Spec.ImagePullSecrets)}
	seen := map[string]bool{}
	for _, list := range ic.Spec.CacheSpec {
		for _, image := range list.Images {
			ref, mutable, err := reference.Normalise(string(image))
			if err != nil || seen[ref] {
				continue
			}
			seen[ref] = true
			if always(ic.Spec.ImagePullPolicy, mutable) {
				pulled.Always = append(pulled.Always, ref)
			} else {
				pulled.IfNotPresent = append(pulled.IfNotPresent, ref)
			}
		}
	}
	return pulled
}

func always(policy corev1.PullPolicy, mutable bool) bool {
	return policy == corev1.PullAlways || policy == "" && mutable
}

// SecretNames returns the names of pull secrets as one string, in any order alike.
func SecretNames(secrets []corev1.LocalObjectReference) string {
	names := make([]string, 0, len(secrets))
	for _, secret := range secrets {
		names = append(names, secret.Name)
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ",")
}

// PolicyWarning says which images another ImageCache of the namespace pulls with
// another policy; empty when there are none. With other pull secrets the two are
// pulled apart from each other anyway.
func PolicyWarning(own Pulled, others []Pulled) string {
	policies := make(map[string]corev1.PullPolicy, len(own.Always)+len(own.IfNotPresent))
	for _, ref := range own.Always {
		policies[ref] = corev1.PullAlways
	}
	for _, ref := range own.IfNotPresent {
		policies[ref] = corev1.PullIfNotPresent
	}
	var found []string
	for _, other := range others {
		if other.Cache == own.Cache || other.Secrets != own.Secrets {
			continue
		}
		found = append(found, differing(policies, corev1.PullIfNotPresent, other.Always, other.Cache, corev1.PullAlways)...)
		found = append(found, differing(policies, corev1.PullAlways, other.IfNotPresent, other.Cache, corev1.PullIfNotPresent)...)
	}
	if len(found) == 0 {
		return ""
	}
	return "other ImageCaches of this namespace pull the same images with another policy; on nodes that both select, Always counts: " + some(found)
}

func differing(policies map[string]corev1.PullPolicy, own corev1.PullPolicy, refs []string, cache string, theirs corev1.PullPolicy) []string {
	var found []string
	for _, ref := range refs {
		if policies[ref] == own {
			found = append(found, fmt.Sprintf("%s (%s in %s)", ref, theirs, cache))
		}
	}
	return found
}
