package kubefledged

import (
	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
)

// rollBack restores a revision after one that failed, so that what ran goes on.
func (r *Reconciler) rollBack(kf *v1alpha2.KubeFledged, seen *observation, revision int) error {
	failed := seen.input.History.Last()
	if err := seen.helm.RollBack(revision); err != nil {
		return err
	}
	r.warn(kf, v1alpha2.EventRolledBack, "RollBack", "revision %d is restored, since %d did not succeed: %s", revision, failed.Revision, failed.Description)
	return nil
}
