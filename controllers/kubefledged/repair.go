package kubefledged

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/release"
)

// stubborn are the objects that were not what the manifest says even right after
// they were restored, by UID, with the version that was left. Somebody, as an
// admission webhook, changes them on the way; trying again before anything else
// has happened would go on forever.
type stubborn map[types.UID]string

// repair restores what was deleted or edited, and deletes what is left of older
// revisions. It asks the API server first: the informers may lag behind what we
// have just done ourselves.
func (r *Reconciler) repair(ctx context.Context, kf *v1alpha2.KubeFledged, seen *observation) error {
	var errs []error
	for _, d := range seen.damages {
		if err := r.restore(ctx, kf, d.want); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", release.KeyOf(d.want), err))
		}
	}
	for _, left := range seen.leftovers {
		if err := r.remove(ctx, left); err != nil {
			errs = append(errs, fmt.Errorf("%s is left of an older revision: %w", release.KeyOf(left), err))
		}
	}
	return errors.Join(errs...)
}

func (r *Reconciler) restore(ctx context.Context, kf *v1alpha2.KubeFledged, want *release.Object) error {
	live, err := r.read(ctx, r.Reader, want)
	if err != nil {
		return err
	}
	found := damageOf(want, live)
	if found == nil {
		return nil
	}
	if err := r.apply(ctx, want, live); err != nil {
		return err
	}
	now, err := r.read(ctx, r.Reader, want)
	if err != nil {
		return err
	}
	if left := damageOf(want, now); left != nil && now != nil {
		r.stubborn[now.GetUID()] = now.GetResourceVersion()
		return fmt.Errorf("%s is changed by somebody else as soon as it is restored", strings.Join(left.fields, ", "))
	}
	repairs.WithLabelValues(want.GetKind()).Inc()
	r.event(kf, v1alpha2.EventRepaired, "Repair", "%s was %s and is restored", release.KeyOf(want), found)
	return nil
}

// apply restores the fields of the manifest and leaves all others alone.
func (r *Reconciler) apply(ctx context.Context, want, live *release.Object) error {
	err := r.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(want.DeepCopy()), client.FieldOwner(release.FieldManager), client.ForceOwnership)
	if !apierrors.IsInvalid(err) || live == nil {
		return err
	}
	if !strings.HasSuffix(want.GetKind(), "RoleBinding") {
		return r.replaceLists(ctx, want)
	}
	// Whose role a binding gives cannot be changed; it can be made anew.
	if err := client.IgnoreNotFound(r.Client.Delete(ctx, live.DeepCopy())); err != nil {
		return err
	}
	return r.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(want.DeepCopy()), client.FieldOwner(release.FieldManager), client.ForceOwnership)
}

// replaceLists restores an object whose lists no longer go together with ours:
// an entry whose key somebody changed, as the number of a port, counts as theirs
// and stays beside the one that is restored. A merge patch replaces lists.
func (r *Reconciler) replaceLists(ctx context.Context, want *release.Object) error {
	patch, err := json.Marshal(want.Object)
	if err != nil {
		return fmt.Errorf("encode %s: %w", release.KeyOf(want), err)
	}
	return r.Client.Patch(ctx, want.DeepCopy(), client.RawPatch(types.MergePatchType, patch), client.FieldOwner(release.FieldManager))
}

// remove deletes an object, and what the garbage collector deletes with it.
func (r *Reconciler) remove(ctx context.Context, object client.Object) error {
	return client.IgnoreNotFound(r.Client.Delete(ctx, object, client.PropagationPolicy("Background")))
}
