package kubefledged

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/release"
	"github.com/kubefledged/kubefledged-operator/internal/version"
)

// longestNote is that of an Event.
const longestNote = 1024

// tell writes the status where it changed.
func (r *Reconciler) tell(ctx context.Context, kf *v1alpha2.KubeFledged, what report) error {
	before := kf.DeepCopy()
	what.write(kf)
	if equality.Semantic.DeepEqual(before.Status, kf.Status) {
		return nil
	}
	if err := r.Client.Status().Patch(ctx, kf, client.MergeFrom(before)); err != nil {
		return client.IgnoreNotFound(fmt.Errorf("write the status: %w", err))
	}
	return nil
}

// write puts a report into the status. The times of conditions that do not
// change stay.
func (what report) write(kf *v1alpha2.KubeFledged) {
	s := &kf.Status
	s.ObservedGeneration, s.OperatorVersion = kf.Generation, version.Version
	for kind, v := range map[string]verdict{
		v1alpha2.ConditionReady: what.ready, v1alpha2.ConditionProgressing: what.progressing, v1alpha2.ConditionDegraded: what.degraded,
	} {
		meta.SetStatusCondition(&s.Conditions, v.condition(kind, kf.Generation))
	}
	if what.seen == nil {
		return
	}
	s.Release, s.ChartVersion, s.AppVersion, s.Components = nil, "", "", nil
	if last := what.seen.input.History.Last(); last != nil {
		s.Release = &v1alpha2.ReleaseStatus{Name: kf.Name, Revision: last.Revision, Status: string(last.Status)}
	}
	if deployed := what.seen.input.History.Deployed(); deployed != nil {
		s.ChartVersion, s.AppVersion = deployed.ChartVersion, deployed.AppVersion
	}
	for i := range what.seen.components {
		s.Components = append(s.Components, what.seen.components[i].ComponentStatus)
	}
}

// fail says what went wrong with something that is tried again, and returns it.
func (r *Reconciler) fail(ctx context.Context, kf *v1alpha2.KubeFledged, seen *observation, reason string, err error) error {
	v := verdict{holds: true, reason: reason, message: err.Error()}
	what := report{verdicts: verdicts{
		ready:       verdict{reason: reason, message: err.Error()},
		progressing: verdict{reason: v1alpha2.ReasonWaiting, message: "what failed is tried again after a while, and at once when the spec changes"},
		degraded:    v,
	}}
	if seen != nil && seen.available() {
		what.ready = verdict{holds: true, reason: v1alpha2.ReasonAvailable}
	}
	return errors.Join(err, r.tell(ctx, kf, what))
}

// available tells whether what the spec asks for was there when it was looked at.
func (o *observation) available() bool {
	for i := range o.components {
		if !o.components[i].Available {
			return false
		}
	}
	state := o.input.State()
	return len(o.components) > 0 && o.problem == nil && (state == release.InSync || state == release.Drifted)
}

func isNothing(err error) bool { return errors.Is(err, release.ErrNothingRendered) }

// hold puts the finalizer before anything is installed.
func (r *Reconciler) hold(ctx context.Context, kf *v1alpha2.KubeFledged) error {
	return r.patchFinalizers(ctx, kf, func(finalizers []string) []string {
		for _, f := range finalizers {
			if f == v1alpha2.FinalizerUninstall {
				return finalizers
			}
		}
		return append(finalizers, v1alpha2.FinalizerUninstall)
	})
}

// patchFinalizers changes the finalizers of an object, unless somebody else has
// changed them since they were read.
func (r *Reconciler) patchFinalizers(ctx context.Context, object client.Object, change func([]string) []string) error {
	before := object.DeepCopyObject().(client.Object)
	object.SetFinalizers(change(object.GetFinalizers()))
	if equality.Semantic.DeepEqual(before.GetFinalizers(), object.GetFinalizers()) {
		return nil
	}
	return r.Client.Patch(ctx, object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

func (r *Reconciler) event(kf *v1alpha2.KubeFledged, reason, action, format string, args ...any) {
	r.send(kf, corev1.EventTypeNormal, reason, action, fmt.Sprintf(format, args...))
}

func (r *Reconciler) warn(kf *v1alpha2.KubeFledged, reason, action, format string, args ...any) {
	r.send(kf, corev1.EventTypeWarning, reason, action, fmt.Sprintf(format, args...))
}

func (r *Reconciler) send(kf *v1alpha2.KubeFledged, kind, reason, action, note string) {
	if len(note) > longestNote {
		note = note[:longestNote-3] + "..."
	}
	r.Recorder.Eventf(kf, nil, kind, reason, action, "%s", note)
}
