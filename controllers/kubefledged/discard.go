package kubefledged

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
)

// discard deletes records that cannot be read. They hold nothing that the spec
// and the chart do not: without any record left, a new one takes over the
// objects, which run on meanwhile.
func (r *Reconciler) discard(ctx context.Context, kf *v1alpha2.KubeFledged, seen *observation) error {
	for _, u := range seen.input.History.Unreadable {
		if err := seen.helm.Discard(ctx, u.Secret); err != nil {
			return fmt.Errorf("delete the record %s, which cannot be read: %w", u.Secret, err)
		}
		log.FromContext(ctx).Info("deleted a record of the release that cannot be read", "secret", u.Secret, "problem", u.Problem)
		r.warn(kf, v1alpha2.EventRecordDiscarded, "Discard", "Secret %s, a record of the release, could not be read (%s) and was deleted; it is made anew", u.Secret, u.Problem)
	}
	return nil
}
