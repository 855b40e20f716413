package kubefledged

import (
	"cmp"
	"slices"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
)

// first returns the one that is installed, as a cluster has one image cache:
// the oldest. Among those of one second it is the one that has been begun with.
func first(all []v1alpha2.KubeFledged) *v1alpha2.KubeFledged {
	if len(all) == 0 {
		return nil
	}
	oldest := slices.MinFunc(all, func(a, b v1alpha2.KubeFledged) int {
		return cmp.Or(
			a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
			cmp.Compare(begun(&a), begun(&b)),
			cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.Name, b.Name),
		)
	})
	return &oldest
}

// begun sorts those that the operator has begun with before the others.
func begun(kf *v1alpha2.KubeFledged) int {
	if slices.Contains(kf.Finalizers, v1alpha2.FinalizerUninstall) {
		return 0
	}
	return 1
}
