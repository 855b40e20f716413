package kubefledged

import (
	"fmt"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/release"
)

// unlock ends an operation that nobody will finish. A rollback is forgotten: it
// is done again from the revision it was to replace, whose fields would stay
// otherwise. Everything else counts as failed from then on.
func (r *Reconciler) unlock(kf *v1alpha2.KubeFledged, seen *observation) error {
	last := seen.input.History.Last()
	var err error
	if last.Status == release.StatusPendingRollback {
		err = seen.helm.Forget(last.Revision)
	} else {
		err = seen.helm.Mark(last.Revision, release.StatusFailed, fmt.Sprintf("%srevision %d was left %s", release.Interrupted, last.Revision, last.Status))
	}
	if err != nil {
		return fmt.Errorf("end revision %d, which was left %s: %w", last.Revision, last.Status, err)
	}
	r.warn(kf, v1alpha2.EventUnlocked, "Unlock", "revision %d was left %s by an operation that did not end; going on from there", last.Revision, last.Status)
	return nil
}
