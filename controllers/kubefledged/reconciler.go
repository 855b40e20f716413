package kubefledged

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/release"
)

const (
	// atOnce looks at the result of an action, and at what is left to do.
	atOnce = time.Millisecond
	// whileRolling is how often pods are asked why they do not start: nothing
	// wakes the operator when the kubelet tells of a pull that fails.
	whileRolling = 5 * time.Second
	// lookAgain is how long a conflict waits for the informer.
	lookAgain = 200 * time.Millisecond
	// longestRead bounds reads from an informer that cannot synchronize.
	longestRead = 20 * time.Second
)

// Reconciler brings the release of a KubeFledged in line with its spec.
type Reconciler struct {
	// Client reads KubeFledgeds from the informer, and writes.
	Client client.Client
	// Reader reads past all informers.
	Reader client.Reader
	// Installed reads what the operator has installed from its own informers.
	Installed client.Reader
	Kube      kubernetes.Interface
	Getter    release.Getter
	Chart     *release.Chart
	Images    release.Images
	Recorder  events.EventRecorder
	// Namespaces are those whose KubeFledgeds are cared for; empty for all.
	Namespaces []string

	cluster  capabilities
	watches  watches
	stubborn stubborn
}

// Reconcile takes one step with one KubeFledged.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var kf v1alpha2.KubeFledged
	if err := r.Client.Get(ctx, req.NamespacedName, &kf); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	result, err := r.reconcile(ctx, &kf)
	switch {
	case err == nil:
		return result, nil
	case apierrors.IsConflict(err):
		log.FromContext(ctx).V(1).Info("somebody else has written", "conflict", err.Error())
		return ctrl.Result{RequeueAfter: lookAgain}, nil
	default:
		return ctrl.Result{}, err
	}
}

func (r *Reconciler) reconcile(ctx context.Context, kf *v1alpha2.KubeFledged) (ctrl.Result, error) {
	ours := r.caresFor(kf.Namespace)
	if kf.DeletionTimestamp != nil {
		if !ours {
			return ctrl.Result{}, nil
		}
		return r.uninstall(ctx, kf)
	}
	var all v1alpha2.KubeFledgedList
	if err := r.Client.List(ctx, &all); err != nil {
		return ctrl.Result{}, fmt.Errorf("list the KubeFledgeds: %w", err)
	}
	if one := first(all.Items); one != nil && one.UID != kf.UID {
		if !ours && !r.caresFor(one.Namespace) {
			return ctrl.Result{}, nil // both are another operator's
		}
		return ctrl.Result{}, r.tell(ctx, kf, refusal(one))
	}
	if !ours {
		return ctrl.Result{}, r.disclaim(ctx, kf)
	}
	if err := r.hold(ctx, kf); err != nil {
		return ctrl.Result{}, err
	}
	seen, err := r.observe(ctx, kf)
	if err != nil {
		return ctrl.Result{}, r.fail(ctx, kf, seen, v1alpha2.ReasonReconcileFailed, err)
	}
	return r.proceed(ctx, kf, seen)
}

// proceed says what is going on, does it, and comes back to see what came of it.
func (r *Reconciler) proceed(ctx context.Context, kf *v1alpha2.KubeFledged, seen *observation) (ctrl.Result, error) {
	step := release.Next(seen.input)
	if err := r.tell(ctx, kf, statusOf(kf, seen, step)); err != nil {
		return ctrl.Result{}, err
	}
	log.FromContext(ctx).V(1).Info("decided", "state", seen.input.State(), "action", step.Action, "revision", step.Revision, "after", step.After)
	err := r.act(ctx, kf, seen, step)
	countAction(step.Action, err)
	if err != nil {
		return ctrl.Result{}, r.fail(ctx, kf, seen, failureReasons[step.Action], err)
	}
	switch {
	case step.Action == release.Rest, step.Action == release.Refuse:
		return ctrl.Result{RequeueAfter: seen.lookAgainAfter()}, nil
	case step.After > 0:
		return ctrl.Result{RequeueAfter: min(step.After, max(seen.lookAgainAfter(), whileRolling))}, nil
	}
	return ctrl.Result{RequeueAfter: atOnce}, nil
}

// act carries out an action.
func (r *Reconciler) act(ctx context.Context, kf *v1alpha2.KubeFledged, seen *observation, step release.Step) error {
	switch step.Action {
	case release.Install:
		return r.install(kf, seen)
	case release.Upgrade:
		return r.upgrade(kf, seen)
	case release.RollBack:
		return r.rollBack(kf, seen, step.Revision)
	case release.Repair:
		return r.repair(ctx, kf, seen)
	case release.Unlock:
		return r.unlock(kf, seen)
	case release.Adopt:
		return r.adopt(ctx, kf, seen)
	case release.Discard:
		return r.discard(ctx, kf, seen)
	}
	return nil
}

// failureReasons are those of Degraded when an action fails.
var failureReasons = map[release.Action]string{
	release.Install:  v1alpha2.ReasonInstallFailed,
	release.Upgrade:  v1alpha2.ReasonUpgradeFailed,
	release.RollBack: v1alpha2.ReasonRollbackFailed,
	release.Repair:   v1alpha2.ReasonRepairFailed,
	release.Unlock:   v1alpha2.ReasonReconcileFailed,
	release.Adopt:    v1alpha2.ReasonReconcileFailed,
	release.Discard:  v1alpha2.ReasonReconcileFailed,
}

// disclaim says that a KubeFledged is not ours, unless somebody else has said
// something about it, who then is the one who cares.
func (r *Reconciler) disclaim(ctx context.Context, kf *v1alpha2.KubeFledged) error {
	ready := meta.FindStatusCondition(kf.Status.Conditions, v1alpha2.ConditionReady)
	if ready != nil && ready.Reason != v1alpha2.ReasonNotWatched && ready.Reason != v1alpha2.ReasonNotTheFirst {
		return nil
	}
	return r.tell(ctx, kf, unwatched(r.Namespaces))
}

// caresFor tells whether the KubeFledgeds of a namespace are ours.
func (r *Reconciler) caresFor(namespace string) bool {
	for _, ours := range r.Namespaces {
		if ours == namespace {
			return true
		}
	}
	return len(r.Namespaces) == 0
}
