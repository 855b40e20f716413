package kubefledged

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/release"
)

const (
	// controllerPatience is how long the controller's pods may take to end. On a
	// node that is gone they would never.
	controllerPatience = time.Minute
	// askAgain is how often they are asked.
	askAgain = time.Second
)

// uninstallation is the taking down of one KubeFledged's release.
type uninstallation struct {
	*Reconciler
	kf *v1alpha2.KubeFledged
	// objects are what is left of the release.
	objects []*release.Object
	// terminating tells whether the namespace is being deleted, and our rights in
	// it perhaps gone already. What is in it goes with it.
	terminating bool
}

// uninstall takes down what was installed, in an order in which nothing is left
// hanging, and lets the KubeFledged go. It may be ended and begun again anywhere.
func (r *Reconciler) uninstall(ctx context.Context, kf *v1alpha2.KubeFledged) (ctrl.Result, error) {
	// The informer may not know yet that it is gone, and another one of its name come.
	if err := r.Reader.Get(ctx, client.ObjectKeyFromObject(kf), kf); err != nil || kf.DeletionTimestamp == nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !slices.Contains(kf.Finalizers, v1alpha2.FinalizerUninstall) {
		return ctrl.Result{}, nil
	}
	if err := r.tell(ctx, kf, uninstalling()); err != nil {
		return ctrl.Result{}, err
	}
	u, err := r.beginUninstall(ctx, kf)
	if err == nil && release.ValidateName(kf.Name) == nil {
		var wait time.Duration
		if wait, err = u.run(ctx); wait > 0 {
			return ctrl.Result{RequeueAfter: wait}, nil
		}
	}
	countAction(release.Uninstall, err)
	if err != nil {
		return ctrl.Result{}, r.fail(ctx, kf, nil, v1alpha2.ReasonUninstallFailed, err)
	}
	log.FromContext(ctx).Info("uninstalled")
	return ctrl.Result{}, client.IgnoreNotFound(r.patchFinalizers(ctx, kf, without(v1alpha2.FinalizerUninstall)))
}

func uninstalling() report {
	return report{verdicts: verdicts{
		ready:       verdict{reason: v1alpha2.ReasonUninstalling},
		progressing: verdict{holds: true, reason: v1alpha2.ReasonUninstalling},
		degraded:    fine,
	}}
}

func (r *Reconciler) beginUninstall(ctx context.Context, kf *v1alpha2.KubeFledged) (*uninstallation, error) {
	u := &uninstallation{Reconciler: r, kf: kf}
	var namespace corev1.Namespace
	err := r.Reader.Get(ctx, client.ObjectKey{Name: kf.Namespace}, &namespace)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("read the namespace: %w", err)
	}
	u.terminating = err != nil || namespace.DeletionTimestamp != nil
	u.objects, err = u.inventory(ctx)
	return u, err
}

// run returns how long to wait before it is run again, 0 when all is done.
func (u *uninstallation) run(ctx context.Context) (time.Duration, error) {
	// Nobody answers for the webhook from here on.
	if err := u.deleteKinds(ctx, "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"); err != nil {
		return 0, err
	}
	// A controller that still runs would put the finalizers back.
	if err := u.deleteKinds(ctx, "Deployment"); err != nil {
		return 0, err
	}
	if running, err := u.running(ctx); err != nil || running > 0 {
		return askAgain, err
	}
	if err := u.letGoOfCaches(ctx); err != nil {
		return 0, err
	}
	if err := u.deleteBelongings(ctx); err != nil {
		return 0, err
	}
	if err := u.deleteRelease(ctx); err != nil {
		return 0, err
	}
	return 0, u.deleteKinds(ctx)
}

// deleteKinds deletes what is left of the release: the objects of some kinds,
// or all without any.
func (u *uninstallation) deleteKinds(ctx context.Context, kinds ...string) error {
	var errs []error
	for _, object := range u.objects {
		if len(kinds) > 0 && !slices.Contains(kinds, object.GetKind()) || object.GetDeletionTimestamp() != nil {
			continue
		}
		if u.terminating && object.GetNamespace() == u.kf.Namespace {
			continue
		}
		if err := u.remove(ctx, object.DeepCopy()); err != nil {
			errs = append(errs, fmt.Errorf("delete %s: %w", release.KeyOf(object), err))
		}
	}
	return errors.Join(errs...)
}

// running counts the pods of the release, until patience ends.
func (u *uninstallation) running(ctx context.Context) (int, error) {
	if u.terminating || clock.Since(u.kf.DeletionTimestamp.Time) > controllerPatience {
		return 0, nil
	}
	var pods corev1.PodList
	err := u.Reader.List(ctx, &pods, client.InNamespace(u.kf.Namespace), client.MatchingLabels{"app": "kubefledged", v1alpha2.LabelInstance: u.kf.Name})
	if err != nil {
		return 0, fmt.Errorf("list the pods of the release: %w", err)
	}
	running := 0
	for i := range pods.Items {
		if phase := pods.Items[i].Status.Phase; phase != corev1.PodSucceeded && phase != corev1.PodFailed {
			running++
		}
	}
	return running, nil
}

// deleteRelease lets Helm delete the newest revision's objects and the records,
// and then deletes the records that Helm cannot read.
func (u *uninstallation) deleteRelease(ctx context.Context) error {
	if u.terminating {
		return nil
	}
	owner, err := u.ownerFor(ctx, u.kf)
	if err != nil {
		return err
	}
	helm := release.NewHelm(u.Getter, u.Kube, owner, log.FromContext(ctx))
	history, err := helm.History(ctx)
	if err != nil {
		return err
	}
	for _, bad := range history.Unreadable {
		if bad.Ours {
			if err := helm.Discard(ctx, bad.Secret); err != nil {
				return fmt.Errorf("delete the record %s: %w", bad.Secret, err)
			}
		}
	}
	if !history.Ours() {
		return nil // somebody else's, or none
	}
	if err := helm.Uninstall(); err != nil {
		return fmt.Errorf("uninstall the release: %w", err)
	}
	return nil
}

// inventory lists what is in the cluster of the release, whatever the records
// say. What is in a namespace that is being deleted is left to that.
func (u *uninstallation) inventory(ctx context.Context) ([]*release.Object, error) {
	var found []*release.Object
	for _, kind := range installedKinds {
		options := []client.ListOption{client.MatchingLabels{v1alpha2.LabelInstalledBy: v1alpha2.LabelInstalledByValue}}
		switch {
		case !kind.everywhere && u.terminating:
			continue
		case !kind.everywhere:
			options = append(options, client.InNamespace(u.kf.Namespace))
		}
		list := listOf(kind.GroupVersionKind)
		err := u.Reader.List(ctx, list, options...)
		if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
			continue // the cluster does not have the kind
		}
		if err != nil {
			return nil, fmt.Errorf("list what is installed: %w", err)
		}
		for i := range list.Items {
			if object := &list.Items[i]; release.BelongsTo(object, u.kf.Name, u.kf.Namespace) {
				found = append(found, object)
			}
		}
	}
	return found, nil
}

// without returns a change that takes a finalizer away.
func without(finalizer string) func([]string) []string {
	return func(finalizers []string) []string {
		return slices.DeleteFunc(slices.Clone(finalizers), func(f string) bool { return f == finalizer })
	}
}
