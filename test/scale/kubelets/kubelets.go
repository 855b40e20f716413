// Package kubelets stands in for the kubelets of simulated nodes: it takes the
// pods that are bound to them through the life a kubelet gives them, and
// reports their images the way kubelets do. Stages of kwok cannot: they know
// nothing of what one image of a pod does and of what a node has pulled before.
// The nodes' heartbeats and leases are kwok's.
package kubelets

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// Pace says how long simulated kubelets take.
type Pace struct {
	// Sandbox is the time from a pod's first status to its first pull: volumes
	// and the sandbox.
	Sandbox time.Duration
	// Pull is the time of one pull, one after another on each node, and Slow
	// that of an image of a repository named "slow/...".
	Pull, Slow time.Duration
	// Workers is how many requests are under way at once.
	Workers int
	// Listed is how many images a node reports: nodeStatusMaxImages.
	Listed int
}

// DefaultListed is the kubelet's default of nodeStatusMaxImages.
const DefaultListed = 50

// DefaultPace is that of nodes with small images and a near registry.
func DefaultPace() Pace {
	return Pace{Sandbox: time.Second, Pull: 100 * time.Millisecond, Slow: 15 * time.Second, Workers: 32, Listed: DefaultListed}
}

// Kubelets are those of all simulated nodes.
type Kubelets struct {
	client kubernetes.Interface
	pace   Pace
	pods   cache.SharedIndexInformer
	known  cache.SharedIndexInformer
	queue  workqueue.TypedDelayingInterface[work]

	mu    sync.Mutex
	nodes map[string]*node
	lives map[types.UID]*life
}

// work is a pod to look at, or, with an event, to tell of; without a pod, a
// node to report the images of.
type work struct {
	namespace, pod, node string
	event                event
}

// New returns the kubelets of the nodes that kwok keeps alive.
func New(client kubernetes.Interface, pace Pace) *Kubelets {
	bound := informers.NewSharedInformerFactoryWithOptions(client, 0,
		informers.WithTransform(trim),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) {
			o.FieldSelector = fields.OneTermNotEqualSelector("spec.nodeName", "").String()
		}))
	all := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTransform(trim))
	k := &Kubelets{
		client: client, pace: pace,
		pods: bound.Core().V1().Pods().Informer(), known: all.Core().V1().Nodes().Informer(),
		queue: workqueue.NewTypedDelayingQueue[work](),
		nodes: map[string]*node{}, lives: map[types.UID]*life{},
	}
	return k
}

// trim drops what no kubelet here reads.
func trim(obj any) (any, error) {
	switch o := obj.(type) {
	case *corev1.Node:
		return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: o.Name, UID: o.UID, ResourceVersion: o.ResourceVersion}}, nil
	case *corev1.Pod:
		o.ManagedFields, o.Annotations = nil, nil
	}
	return obj, nil
}

// Run works until ctx ends.
func (k *Kubelets) Run(ctx context.Context) error {
	if _, err := k.pods.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    k.enqueuePod,
		UpdateFunc: func(_, obj any) { k.enqueuePod(obj) },
		DeleteFunc: k.forgetPod,
	}); err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	if _, err := k.known.AddEventHandler(cache.ResourceEventHandlerFuncs{DeleteFunc: k.forgetNode}); err != nil {
		return fmt.Errorf("watch nodes: %w", err)
	}
	go k.pods.Run(ctx.Done())
	go k.known.Run(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), k.pods.HasSynced, k.known.HasSynced) {
		return nil
	}
	var workers sync.WaitGroup
	for range k.pace.Workers {
		workers.Go(func() {
			for k.next(ctx) {
			}
		})
	}
	<-ctx.Done()
	k.queue.ShutDown()
	workers.Wait()
	return nil
}

// next does one piece of work; a request that failed is made again in a second.
func (k *Kubelets) next(ctx context.Context) bool {
	item, down := k.queue.Get()
	if down {
		return false
	}
	defer k.queue.Done(item)
	do := k.advance
	switch {
	case item.pod == "":
		do = k.report
	case item.event.reason != "":
		do = k.tell
	}
	if err := do(ctx, item); err != nil && ctx.Err() == nil {
		k.queue.AddAfter(item, time.Second)
	}
	return true
}

func workOf(pod *corev1.Pod) work {
	return work{namespace: pod.Namespace, pod: pod.Name, node: pod.Spec.NodeName}
}

func (k *Kubelets) enqueuePod(obj any) {
	if pod, ok := obj.(*corev1.Pod); ok {
		k.queue.Add(workOf(pod))
	}
}

func (k *Kubelets) forgetPod(obj any) {
	if lost, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = lost.Obj
	}
	if pod, ok := obj.(*corev1.Pod); ok {
		k.mu.Lock()
		delete(k.lives, pod.UID)
		k.mu.Unlock()
	}
}

// forgetNode takes the images with the machine: a node that comes under the
// same name is another one.
func (k *Kubelets) forgetNode(obj any) {
	if lost, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = lost.Obj
	}
	if gone, ok := obj.(*corev1.Node); ok {
		k.mu.Lock()
		delete(k.nodes, gone.Name)
		k.mu.Unlock()
	}
}

// at returns the node of that name. The caller holds mu.
func (k *Kubelets) at(name string) *node {
	n := k.nodes[name]
	if n == nil {
		n = &node{images: map[string]time.Time{}}
		k.nodes[name] = n
	}
	return n
}
