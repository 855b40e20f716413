package observe

import (
	"hash/fnv"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// NodeChanged lets a Node's update pass only when something that decides about
// pulls changed: a thousand heartbeats wake nothing.
func NodeChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		old, okOld := e.ObjectOld.(*corev1.Node)
		now, okNow := e.ObjectNew.(*corev1.Node)
		return okOld && okNow && (nodeDecides(old) != nodeDecides(now) ||
			!equality.Semantic.DeepEqual(old.Labels, now.Labels) ||
			!equality.Semantic.DeepEqual(old.Spec.Taints, now.Spec.Taints))
	}}
}

// decisive is what decides about pulls, but for labels and taints.
type decisive struct {
	uid, unavailable, kubelet, runtime string
	images                             uint64
}

func nodeDecides(node *corev1.Node) decisive {
	return decisive{
		uid: string(node.UID), unavailable: plan.Unavailable(node),
		kubelet: node.Status.NodeInfo.KubeletVersion,
		runtime: node.Status.NodeInfo.ContainerRuntimeVersion,
		images:  imagesHash(node.Status.Images),
	}
}

func imagesHash(images []corev1.ContainerImage) uint64 {
	h := fnv.New64a()
	for i := range images {
		for _, name := range images[i].Names {
			_, _ = h.Write([]byte(name))
		}
		_, _ = h.Write([]byte(strconv.FormatInt(images[i].SizeBytes, 10)))
	}
	return h.Sum64()
}

// CacheChanged lets an ImageCache's update pass only when its spec changed or
// its deletion began: our own status writes wake nothing.
func CacheChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() ||
			(e.ObjectOld.GetDeletionTimestamp() == nil) != (e.ObjectNew.GetDeletionTimestamp() == nil)
	}}
}

// Selectors returns an ImageCache's lists without their images: enough to ask
// which nodes it selects.
func Selectors(ic *v1alpha2.ImageCache) *plan.Cache {
	cache := &plan.Cache{Namespace: ic.Namespace, Name: ic.Name, UID: ic.UID}
	for i := range ic.Spec.CacheSpec {
		cache.Lists = append(cache.Lists, plan.List{Selects: selector(&ic.Spec.CacheSpec[i])})
	}
	return cache
}
