package observe

import (
	"hash/fnv"
	"maps"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
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
	uid, unavailable, kubelet, runtime, socket, boot string
	diskPressure                                     bool
	images                                           uint64
}

func nodeDecides(node *corev1.Node) decisive {
	return decisive{
		uid: string(node.UID), unavailable: plan.Unavailable(node),
		kubelet: node.Status.NodeInfo.KubeletVersion,
		runtime: node.Status.NodeInfo.ContainerRuntimeVersion,
		socket:  node.Annotations[v1alpha2.AnnotationCRISocket],
		boot:    node.Status.NodeInfo.BootID,
		images:  imagesHash(node.Status.Images),

		diskPressure: diskPressure(node.Status.Conditions),
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

// CacheChanged lets an ImageCache's update pass only when what is wanted on
// nodes may have changed: its spec, an accepted purge or refresh, or that it is
// being deleted and how. Status writes wake nothing.
func CacheChanged() predicate.Predicate {
	return updates(func(old, now client.Object) bool { return cacheDecides(old) != cacheDecides(now) })
}

// CacheAsked does so also when a user asks for a purge or refresh, or takes a
// request back.
func CacheAsked() predicate.Predicate {
	return updates(func(old, now client.Object) bool {
		return cacheDecides(old) != cacheDecides(now) || asks(old) != asks(now)
	})
}

// StatusChanged lets an ImageCache's update pass when its status changed.
// Whoever writes status has to hear of it: another replica, or a user with a
// text editor, may have written something older over it.
func StatusChanged() predicate.Predicate {
	return updates(func(old, now client.Object) bool {
		before, okOld := old.(*v1alpha2.ImageCache)
		after, okNow := now.(*v1alpha2.ImageCache)
		return okOld && okNow && !equality.Semantic.DeepEqual(before.Status, after.Status)
	})
}

// JobChanged lets a Job's update pass when something of it changed that is
// read: not that the Job controller counts its pods.
func JobChanged() predicate.Predicate {
	return updates(func(old, now client.Object) bool {
		before, okOld := old.(*batchv1.Job)
		after, okNow := now.(*batchv1.Job)
		return okOld && okNow && (going(old) != going(now) || !maps.Equal(before.Annotations, after.Annotations) ||
			!equality.Semantic.DeepEqual(before.Status.Conditions, after.Status.Conditions))
	})
}

// PodChanged does so for a pod: not that the Job controller has counted it, nor
// that its sandbox is gone.
func PodChanged() predicate.Predicate {
	return updates(func(old, now client.Object) bool {
		before, okOld := old.(*corev1.Pod)
		after, okNow := now.(*corev1.Pod)
		return okOld && okNow && (going(old) != going(now) || !equality.Semantic.DeepEqual(podRead(before), podRead(after)))
	})
}

func going(obj client.Object) bool { return obj.GetDeletionTimestamp() != nil }

// podRead is what is read of a pod's status.
func podRead(pod *corev1.Pod) corev1.PodStatus {
	status := pod.Status
	status.Conditions, status.PodIP, status.PodIPs, status.HostIP, status.HostIPs = nil, "", nil, "", nil
	return status
}

func updates(pass func(old, now client.Object) bool) predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld != nil && e.ObjectNew != nil && pass(e.ObjectOld, e.ObjectNew)
	}}
}

// requests are the users' annotations: an empty value is a request too.
type requests struct {
	purges, refreshes        bool
	purgeValue, refreshValue string
}

func asks(ic client.Object) requests {
	var r requests
	r.purgeValue, r.purges = ic.GetAnnotations()[v1alpha2.AnnotationPurge]
	r.refreshValue, r.refreshes = ic.GetAnnotations()[v1alpha2.AnnotationRefresh]
	return r
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
