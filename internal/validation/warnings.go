package validation

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/reference"
)

// Warnings returns what is allowed and may not be what the user meant. There is
// one line per kind of warning, however many images it is about: a client shows
// every line, and the API server drops what is longer than a few kilobytes.
func Warnings(ic *v1alpha2.ImageCache) []string {
	var warnings []string
	for _, warning := range []string{
		warnMutable(&ic.Spec),
		warnRepeated(&ic.Spec),
		warnPreferences(&ic.Spec),
		warnLists(&ic.Spec),
		warnImages(&ic.Spec),
	} {
		if warning != "" {
			warnings = append(warnings, warning)
		}
	}
	return warnings
}

func warnMutable(spec *v1alpha2.ImageCacheSpec) string {
	if spec.ImagePullPolicy != corev1.PullIfNotPresent {
		return ""
	}
	var names []string
	for _, list := range spec.CacheSpec {
		for _, image := range list.Images {
			if _, mutable, err := reference.Normalise(string(image)); err == nil && mutable {
				names = append(names, string(image))
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "with imagePullPolicy IfNotPresent a node keeps the copy it has, though the tag may have moved on: " + some(names)
}

// warnRepeated finds an image that several lists name. It is cached on the
// nodes of all of them, so removing it from one list may remove it from no node.
func warnRepeated(spec *v1alpha2.ImageCacheSpec) string {
	var names []string
	lists := map[string]int{}
	told := map[string]bool{}
	for i, list := range spec.CacheSpec {
		for _, image := range list.Images {
			ref, _, err := reference.Normalise(string(image))
			if err != nil {
				continue
			}
			if first, found := lists[ref]; !found {
				lists[ref] = i
			} else if first != i && !told[ref] {
				told[ref] = true
				names = append(names, string(image))
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "several lists name the same image; it is cached on the nodes of all of them: " + some(names)
}

func warnPreferences(spec *v1alpha2.ImageCacheSpec) string {
	for i, list := range spec.CacheSpec {
		if a := list.NodeAffinity; a != nil && len(a.PreferredDuringSchedulingIgnoredDuringExecution) > 0 {
			return fmt.Sprintf("spec.cacheSpec[%d].nodeAffinity: preferences are ignored", i)
		}
	}
	return ""
}

func warnLists(spec *v1alpha2.ImageCacheSpec) string {
	if n := len(spec.CacheSpec); near(n, MaxLists) {
		return fmt.Sprintf("spec.cacheSpec: %d of at most %d lists are used", n, MaxLists)
	}
	return ""
}

func warnImages(spec *v1alpha2.ImageCacheSpec) string {
	var full []string
	for i, list := range spec.CacheSpec {
		if n := len(list.Images); near(n, MaxImages) {
			full = append(full, fmt.Sprintf("spec.cacheSpec[%d].images (%d)", i, n))
		}
	}
	if len(full) == 0 {
		return ""
	}
	return fmt.Sprintf("nearly as long as a list may be (%d images): %s", MaxImages, some(full))
}

// near is true from nine tenths of the limit on, and not beyond it: that is an error.
func near(n, limit int) bool {
	return n <= limit && n*10 >= limit*9
}

// some names the first few.
func some(names []string) string {
	const few = 3
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
