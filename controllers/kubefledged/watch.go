package kubefledged

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/release"
)

// recorderName is the component that Events are sent by.
const recorderName = "kubefledged-operator"

const (
	firstRetry = 200 * time.Millisecond
	lastRetry  = time.Minute
)

// SetupWithManager registers the loop. The informers of what is installed are
// those of another cache, which holds nothing else.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, installed cache.Cache) error {
	r.stubborn = stubborn{}
	r.Recorder = mgr.GetEventRecorder(recorderName)
	loop, err := ctrl.NewControllerManagedBy(mgr).Named("kubefledged").
		For(&v1alpha2.KubeFledged{}, builder.WithPredicates(predicate.Or(
			predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))).
		Watches(&v1alpha2.KubeFledged{}, r.others(), builder.WithPredicates(gone())).
		// One worker: only one KubeFledged is installed, and Helm takes one
		// operation at a time.
		WithOptions(controller.Options{MaxConcurrentReconciles: 1, RateLimiter: retries()}).
		Build(r)
	if err != nil {
		return fmt.Errorf("set up the KubeFledged loop: %w", err)
	}
	r.watches = watches{loop: loop, cache: installed, started: map[schema.GroupKind]bool{}}
	return nil
}

// retries are those of what failed and of which no record tells, as objects of
// somebody else that stand in the way.
func retries() workqueue.TypedRateLimiter[reconcile.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry)
}

// others enqueues every KubeFledged: when one is gone it is another's turn.
func (r *Reconciler) others() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request {
		var all v1alpha2.KubeFledgedList
		if err := r.Client.List(ctx, &all); err != nil {
			return nil // only without a synced cache; all are enqueued when it syncs
		}
		var requests []reconcile.Request
		for i := range all.Items {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&all.Items[i])})
		}
		return requests
	})
}

// gone passes deletions on, and nothing else.
func gone() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		UpdateFunc:  func(event.UpdateEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// watches are the kinds of which the loop hears. They are begun with when a
// release has objects of them: the cluster may not have all that a chart can make.
type watches struct {
	loop    controller.Controller
	cache   cache.Cache
	mutex   sync.Mutex
	started map[schema.GroupKind]bool
}

func (w *watches) start(mapper meta.RESTMapper, kind schema.GroupVersionKind) error {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.started[kind.GroupKind()] {
		return nil
	}
	if _, err := mapper.RESTMapping(kind.GroupKind(), kind.Version); err != nil {
		return err
	}
	object := &release.Object{}
	object.SetGroupVersionKind(kind)
	if err := w.loop.Watch(source.Kind(w.cache, client.Object(object), handler.EnqueueRequestsFromMapFunc(ofRelease))); err != nil {
		return fmt.Errorf("watch %s: %w", kind.Kind, err)
	}
	w.started[kind.GroupKind()] = true
	return nil
}

// wait waits until the informer of a kind has what is there in every namespace:
// before, the loop hears of nothing.
func (w *watches) wait(ctx context.Context, kind schema.GroupVersionKind) error {
	object := &release.Object{}
	object.SetGroupVersionKind(kind)
	_, err := w.cache.GetInformer(ctx, object)
	return err
}

// ofRelease returns the KubeFledged that an object was installed for.
func ofRelease(_ context.Context, object client.Object) []reconcile.Request {
	annotations := object.GetAnnotations()
	name, namespace := annotations[v1alpha2.AnnotationReleaseName], annotations[v1alpha2.AnnotationReleaseNamespace]
	if name == "" || namespace == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}}
}
