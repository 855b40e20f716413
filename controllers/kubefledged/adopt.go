package kubefledged

import (
	"context"
	"fmt"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
)

// adopt takes over a release that somebody made with Helm, as the user allows by
// an annotation. Only one of this chart: Helm would delete what others made.
func (r *Reconciler) adopt(ctx context.Context, kf *v1alpha2.KubeFledged, seen *observation) error {
	last := seen.input.History.Last()
	if last.Chart != r.Chart.Name() {
		return fmt.Errorf("the release %s is of the chart %q and not of %q: uninstall it, or give the KubeFledged another name", kf.Name, last.Chart, r.Chart.Name())
	}
	if err := seen.helm.Adopt(ctx); err != nil {
		return err
	}
	r.event(kf, v1alpha2.EventAdopted, "Adopt", "the Helm release %s belongs to this object now", kf.Name)
	return nil
}
