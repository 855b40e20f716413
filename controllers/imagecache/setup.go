package imagecache

import (
	"context"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/observe"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

type (
	request = reconcile.Request
	queue   = workqueue.TypedRateLimitingInterface[request]
)

// workers is the number of ImageCaches looked at side by side.
const workers = 4

// SetupWithManager registers the loop.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.Recorder, r.Reader = mgr.GetEventRecorder("kubefledged-controller"), mgr.GetAPIReader()
	return ctrl.NewControllerManagedBy(mgr).Named("imagecache").
		For(&v1alpha2.ImageCache{}, builder.WithPredicates(observe.CacheAsked())).
		Watches(&v1alpha2.ImageCache{}, r.onUpdate(itself), builder.WithPredicates(observe.StatusChanged())).
		Watches(&corev1.Node{}, r.onChange(r.selecting), builder.WithPredicates(observe.NodeChanged())).
		Watches(&v1alpha2.NodeCache{}, r.onChange(r.ofNode)).
		Watches(&batchv1.Job{}, r.onComingAndGoing(r.ofNode)).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(r)
}

// affected returns the ImageCaches whose status an object may change.
type affected func(ctx context.Context, objs ...client.Object) []types.NamespacedName

// onChange enqueues the affected ImageCaches, gathered over a moment.
func (r *Reconciler) onChange(affects affected) handler.Funcs {
	funcs := r.onComingAndGoing(affects)
	funcs.UpdateFunc = func(ctx context.Context, e event.UpdateEvent, q queue) {
		r.gather(q, affects(ctx, e.ObjectOld, e.ObjectNew))
	}
	return funcs
}

// onUpdate enqueues them when an object was changed only.
func (r *Reconciler) onUpdate(affects affected) handler.Funcs {
	return handler.Funcs{UpdateFunc: r.onChange(affects).UpdateFunc}
}

// onComingAndGoing does so when an object appears or disappears only.
func (r *Reconciler) onComingAndGoing(affects affected) handler.Funcs {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) { r.gather(q, affects(ctx, e.Object)) },
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) { r.gather(q, affects(ctx, e.Object)) },
	}
}

// gather enqueues ImageCaches after a moment in which more may come: one that
// waits already is not put off.
func (r *Reconciler) gather(q queue, names []types.NamespacedName) {
	for _, name := range names {
		q.AddAfter(request{NamespacedName: name}, debounce(int(r.nodes.Load())))
	}
}

// selecting returns the ImageCaches that select any of these versions of a node.
func (r *Reconciler) selecting(ctx context.Context, objs ...client.Object) []types.NamespacedName {
	var caches v1alpha2.ImageCacheList
	if err := r.Client.List(ctx, &caches, client.UnsafeDisableDeepCopy); err != nil {
		return nil
	}
	var names []types.NamespacedName
	for _, cache := range r.Caches.Of(caches.Items) {
		for _, obj := range objs {
			if plan.Selects(&plan.Node{Name: obj.GetName(), Labels: obj.GetLabels()}, cache) {
				names = append(names, types.NamespacedName{Namespace: cache.Namespace, Name: cache.Name})
				break
			}
		}
	}
	return names
}

// ofNode returns every ImageCache that selects the node of a record or Job, or
// that a record holds a claim of: an edit may leave images where nothing is
// selected any more.
func (r *Reconciler) ofNode(ctx context.Context, objs ...client.Object) []types.NamespacedName {
	names := claimants(objs)
	var node corev1.Node
	obj := objs[len(objs)-1]
	if err := r.Client.Get(ctx, types.NamespacedName{Name: observe.NodeNameOf(obj)}, &node, client.UnsafeDisableDeepCopy); err != nil {
		return names
	}
	return append(names, r.selecting(ctx, &node)...)
}

// claimants returns the ImageCaches that these records hold claims of.
func claimants(objs []client.Object) []types.NamespacedName {
	var names []types.NamespacedName
	for _, obj := range objs {
		if record, ok := obj.(*v1alpha2.NodeCache); ok {
			for _, claim := range record.Status.Claims {
				names = append(names, types.NamespacedName{Namespace: claim.Namespace, Name: claim.Name})
			}
		}
	}
	return names
}

// itself returns the ImageCache that changed.
func itself(_ context.Context, objs ...client.Object) []types.NamespacedName {
	return []types.NamespacedName{client.ObjectKeyFromObject(objs[len(objs)-1])}
}
