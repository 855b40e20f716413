package kubefledged

import (
	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
)

// install makes the first revision. Objects that a release of this name left
// behind are taken over; those of anybody else are not, and Helm names them.
func (r *Reconciler) install(kf *v1alpha2.KubeFledged, seen *observation) error {
	if err := seen.helm.Install(r.Chart, seen.values, seen.capabilities, seen.input.Desired); err != nil {
		return err
	}
	r.event(kf, v1alpha2.EventInstalled, "Install", "installed version %s", r.Chart.AppVersion())
	return nil
}
