// Package imagecache is the loop with one key per ImageCache: it reads what
// the records of the nodes hold and writes the status, accepts the requests of
// users, and holds what is to be purged on deletion.
package imagecache

import (
	"context"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/observe"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
	"github.com/kubefledged/kubefledged-operator/internal/validation"
)

// lookAgain is how long a conflict waits for the informer to hear of what
// somebody else has written.
const lookAgain = 200 * time.Millisecond

// Reconciler writes the status of ImageCaches, and the metadata that says what
// was accepted.
type Reconciler struct {
	Client client.Client
	// Reader reads past the informers.
	Reader   client.Reader
	Caches   *observe.Caches
	Recorder events.EventRecorder

	// nodes is how many there were when they were last counted.
	nodes atomic.Int64
}

// Reconcile brings one ImageCache's status up to what is known now, and then
// accepts what its user asks for: the status of what was asked before has
// landed by then. Every write fails when the object is not the one that was read.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var ic v1alpha2.ImageCache
	if err := r.Client.Get(ctx, req.NamespacedName, &ic); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	decision, err := r.decide(ctx, &ic)
	if err == nil {
		err = r.tell(ctx, &ic, decision)
	}
	if err == nil {
		err = r.accept(ctx, &ic, decision)
	}
	switch {
	case err == nil:
		return ctrl.Result{RequeueAfter: decision.RequeueAfter}, nil
	case apierrors.IsNotFound(err):
		return ctrl.Result{}, nil
	case apierrors.IsConflict(err):
		log.FromContext(ctx).V(1).Info("somebody else has written", "conflict", err.Error())
		return ctrl.Result{RequeueAfter: lookAgain}, nil
	default:
		return ctrl.Result{}, err
	}
}

// decide says what is true of an ImageCache; nothing is said of one that is
// being deleted and leaves its images.
func (r *Reconciler) decide(ctx context.Context, ic *v1alpha2.ImageCache) (plan.CacheDecision, error) {
	in := plan.CacheInput{Now: clock.Now(), Cache: r.Caches.One(ic), Previous: ic.Status, SpecErrors: specErrors(ic)}
	if in.Cache.Deleting && !in.Cache.Purging {
		return plan.CacheDecision{Status: ic.Status}, nil
	}
	var err error
	if in.Nodes, err = r.views(ctx, ic); err != nil {
		return plan.CacheDecision{}, err
	}
	if in.Cache.Purging {
		in.Deleted = ic.DeletionTimestamp.Time
		in.NamespaceGoing = r.namespaceGoing(ctx, ic.Namespace)
	}
	return plan.Status(in), nil
}

// namespaceGoing tells whether a namespace is being deleted. When it cannot be
// read, the ImageCache is held as long as any.
func (r *Reconciler) namespaceGoing(ctx context.Context, name string) bool {
	var namespace corev1.Namespace
	if err := r.Reader.Get(ctx, client.ObjectKey{Name: name}, &namespace); err != nil {
		log.FromContext(ctx).Error(err, "cannot read the namespace", "name", name)
		return false
	}
	return namespace.DeletionTimestamp != nil
}

// tell writes the status where it changed, and then the Events.
func (r *Reconciler) tell(ctx context.Context, ic *v1alpha2.ImageCache, d plan.CacheDecision) error {
	if equality.Semantic.DeepEqual(ic.Status, d.Status) {
		return nil
	}
	if err := r.writeStatus(ctx, ic, d.Status); err != nil {
		return err
	}
	for _, e := range d.Events {
		r.emit(ic, e)
	}
	return nil
}

func (r *Reconciler) emit(ic *v1alpha2.ImageCache, e plan.Event) {
	kind := corev1.EventTypeNormal
	if e.Warning {
		kind = corev1.EventTypeWarning
	}
	r.Recorder.Eventf(ic, nil, kind, e.Reason, "CacheImages", "%s", e.Message)
}

func specErrors(ic *v1alpha2.ImageCache) []string {
	var words []string
	for _, err := range validation.ImageCache(ic) {
		words = append(words, err.Error())
	}
	return words
}

// debounce is how long changes of nodes and records are gathered before the
// status is written: longer the more nodes there are, since each may change it.
func debounce(nodes int) time.Duration {
	return min(max(time.Duration(nodes)*10*time.Millisecond, 20*time.Millisecond), 5*time.Second)
}
