package kubefledged

import (
	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
)

// upgrade makes a revision of what is wanted now.
func (r *Reconciler) upgrade(kf *v1alpha2.KubeFledged, seen *observation) error {
	if err := seen.helm.Upgrade(r.Chart, seen.values, seen.capabilities, seen.input.Desired); err != nil {
		return err
	}
	r.event(kf, v1alpha2.EventUpgraded, "Upgrade", "changed to what generation %d of the spec and version %s ask for", kf.Generation, r.Chart.AppVersion())
	return nil
}
