package nodecache

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/jobs"
	"github.com/kubefledged/kubefledged-operator/internal/observe"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

type (
	request = reconcile.Request
	queue   = workqueue.TypedRateLimitingInterface[request]
)

// wakeBuffer is the number of nodes that may be woken before the loop takes
// them; a node that finds it full looks again by itself, see LookAgain.
const wakeBuffer = 1024

// SetupWithManager registers the loop, its indexes and the pacer.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager) error {
	for _, obj := range []client.Object{&batchv1.Job{}, &corev1.Pod{}} {
		if err := mgr.GetFieldIndexer().IndexField(ctx, obj, IndexNode, nodeOf); err != nil {
			return fmt.Errorf("index by node: %w", err)
		}
	}
	woken := make(chan event.GenericEvent, wakeBuffer)
	r.events = newEventReader(r.Reader)
	r.pacer = NewPacer(r.Options.JobsMaxSurge, r.Reader, func(node string) { wake(woken, node) })
	registries := NewRegistries()
	r.pacer.Limit(r.Options.PullsPerNode, r.Options.JobsPerRegistry, registries)
	if err := feed(ctx, mgr, &batchv1.Job{}, r.pacer.Handler()); err != nil {
		return fmt.Errorf("watch Jobs: %w", err)
	}
	if err := feed(ctx, mgr, &v1alpha2.NodeCache{}, registries.Handler()); err != nil {
		return fmt.Errorf("watch NodeCaches: %w", err)
	}
	if err := mgr.Add(r.pacer); err != nil {
		return fmt.Errorf("add pacer: %w", err)
	}
	byNode := handler.EnqueueRequestsFromMapFunc(nodeRequest)
	return ctrl.NewControllerManagedBy(mgr).Named("nodecache").
		For(&corev1.Node{}, builder.WithPredicates(observe.NodeChanged())).
		Watches(&v1alpha2.NodeCache{}, &handler.EnqueueRequestForObject{}).
		Watches(&batchv1.Job{}, byNode, builder.WithPredicates(observe.JobChanged())).
		Watches(&corev1.Pod{}, byNode, builder.WithPredicates(observe.PodChanged())).
		Watches(&v1alpha2.ImageCache{}, r.selectedNodes(), builder.WithPredicates(observe.CacheChanged())).
		WatchesRawSource(source.Channel(woken, &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: max(1, r.Options.Workers)}).
		Complete(r)
}

// feed has the informer of a kind tell the handler what it hears.
func feed(ctx context.Context, mgr ctrl.Manager, kind client.Object, handler toolscache.ResourceEventHandler) error {
	informer, err := mgr.GetCache().GetInformer(ctx, kind)
	if err == nil {
		_, err = informer.AddEventHandler(handler)
	}
	return err
}

// wake puts a node into the loop's channel, unless that is full.
func wake(woken chan<- event.GenericEvent, node string) {
	obj := &corev1.Node{}
	obj.Name = node
	select {
	case woken <- event.GenericEvent{Object: obj}:
	default:
	}
}

func nodeRequest(_ context.Context, obj client.Object) []request {
	if node := jobs.NodeName(obj); node != "" {
		return []request{{NamespacedName: types.NamespacedName{Name: node}}}
	}
	return nil
}

// selectedNodes enqueues the nodes that an ImageCache selects, and on an edit
// also those it selected before.
func (r *Reconciler) selectedNodes() handler.EventHandler {
	enqueue := func(ctx context.Context, q queue, versions ...client.Object) {
		var caches []*plan.Cache
		for _, obj := range versions {
			if ic, ok := obj.(*v1alpha2.ImageCache); ok {
				caches = append(caches, observe.Selectors(ic))
			}
		}
		r.enqueueSelected(ctx, q, caches)
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) { enqueue(ctx, q, e.Object) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) { enqueue(ctx, q, e.ObjectOld, e.ObjectNew) },
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) { enqueue(ctx, q, e.Object) },
	}
}

func (r *Reconciler) enqueueSelected(ctx context.Context, q queue, caches []*plan.Cache) {
	var nodes corev1.NodeList
	if err := r.Client.List(ctx, &nodes, client.UnsafeDisableDeepCopy); err != nil {
		return // only without a synced cache; every node is enqueued when it syncs
	}
	for i := range nodes.Items {
		node := plan.Node{Name: nodes.Items[i].Name, Labels: nodes.Items[i].Labels}
		for _, cache := range caches {
			if plan.Selects(&node, cache) {
				q.Add(request{NamespacedName: types.NamespacedName{Name: node.Name}})
			}
		}
	}
}
