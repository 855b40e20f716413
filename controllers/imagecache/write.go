package imagecache

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/observe"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// writeStatus replaces the whole status. A difference to the status that was
// read would leave out the zeros of the first one, so that kubectl shows
// nothing for them.
func (r *Reconciler) writeStatus(ctx context.Context, ic *v1alpha2.ImageCache, status v1alpha2.ImageCacheStatus) error {
	patch, err := json.Marshal([]map[string]any{
		// The API server answers 409 when the object has another version: a
		// replica that was the leader must not write what it knew over what is.
		{"op": "replace", "path": "/metadata/resourceVersion", "value": ic.ResourceVersion},
		{"op": "add", "path": "/status", "value": status},
	})
	if err != nil {
		return fmt.Errorf("encode status: %w", err)
	}
	if err := r.Client.Status().Patch(ctx, ic, client.RawPatch(types.JSONPatchType, patch)); err != nil {
		return fmt.Errorf("patch status: %w", err)
	}
	return nil
}

// accept writes what Accept decides in one patch of metadata: the spec is not
// in it, so that no rule for specs, old or new, can refuse it.
func (r *Reconciler) accept(ctx context.Context, ic *v1alpha2.ImageCache, d plan.CacheDecision) error {
	a := plan.Accept(plan.AcceptInput{
		Now: clock.Now(), Generation: ic.Generation,
		Operation: observe.Operation(ic), Annotations: ic.Annotations,
		Deleting:        ic.DeletionTimestamp != nil,
		PurgeOnDeletion: ic.Spec.DeletionPolicy == v1alpha2.DeletionPolicyPurge,
		Held:            controllerutil.ContainsFinalizer(ic, v1alpha2.FinalizerPurge),
		Served:          d.Served, Released: d.Released,
	})
	if a.Empty() {
		return nil
	}
	patch, err := metadataPatch(ic, a)
	if err != nil {
		return err
	}
	if err := r.Client.Patch(ctx, ic, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("patch metadata: %w", err)
	}
	if a.Operation != nil {
		log.FromContext(ctx).Info("accepted", "operation", a.Operation.Kind, "id", a.Operation.ID)
	}
	if a.Release && d.Parting != nil {
		r.emit(ic, *d.Parting)
	}
	return nil
}

// metadataPatch returns a merge patch that fails when the object has changed
// since it was read, or is another one of its name.
func metadataPatch(ic *v1alpha2.ImageCache, a plan.Acceptance) ([]byte, error) {
	metadata := map[string]any{"uid": ic.UID, "resourceVersion": ic.ResourceVersion}
	if a.Operation != nil {
		accepted, err := json.Marshal(a.Operation)
		if err != nil {
			return nil, fmt.Errorf("encode operation: %w", err)
		}
		metadata["annotations"] = map[string]any{a.Remove: nil, v1alpha2.AnnotationAccepted: string(accepted)}
	}
	switch {
	case a.Hold:
		metadata["finalizers"] = append(slices.Clone(ic.Finalizers), v1alpha2.FinalizerPurge)
	case a.Release:
		metadata["finalizers"] = slices.DeleteFunc(slices.Clone(ic.Finalizers), func(f string) bool { return f == v1alpha2.FinalizerPurge })
	}
	return json.Marshal(map[string]any{"metadata": metadata})
}
