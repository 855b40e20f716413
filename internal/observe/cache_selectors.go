package observe

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// selectorsHash returns a short hash of the selectors of all lists. It is the
// same for specs that differ in nothing but an order, or in lists that were
// split or joined: what tells a relabeled node from an edit must not change
// because a tool wrote the manifest anew.
func selectorsHash(spec *v1alpha2.ImageCacheSpec) string {
	forms := make([]string, 0, len(spec.CacheSpec))
	for i := range spec.CacheSpec {
		list := &spec.CacheSpec[i]
		labels := map[string]string{} // no labels and nil are the same selector
		maps.Copy(labels, list.NodeSelector)
		forms = append(forms, canonical(labels)+canonical(canonicalTerms(list.NodeAffinity)))
	}
	slices.Sort(forms)
	sum := sha256.Sum256([]byte(canonical(slices.Compact(forms))))
	return hex.EncodeToString(sum[:6])
}

// canonicalTerms returns the required terms of an affinity, sorted; nil when
// there are none. Preferences select nothing.
func canonicalTerms(affinity *corev1.NodeAffinity) []string {
	if affinity == nil || affinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return nil
	}
	terms := []string{}
	for _, term := range affinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		terms = append(terms, canonical([][]string{
			canonicalRequirements(term.MatchExpressions), canonicalRequirements(term.MatchFields),
		}))
	}
	slices.Sort(terms)
	return slices.Compact(terms)
}

func canonicalRequirements(list []corev1.NodeSelectorRequirement) []string {
	forms := []string{}
	for _, r := range list {
		r.Values = slices.Clone(r.Values)
		slices.SortFunc(r.Values, cmp.Compare[string])
		forms = append(forms, canonical(r))
	}
	slices.Sort(forms)
	return slices.Compact(forms)
}

// canonical writes a value down; JSON sorts the keys of maps.
func canonical(value any) string {
	text, _ := json.Marshal(value) // strings, and maps and lists of them, always marshal
	return string(text)
}
