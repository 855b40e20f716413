package plan

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// conditions returns the conditions of an ImageCache; a transition time moves
// only when the condition's status does.
func conditions(in CacheInput, t *tally, s *v1alpha2.ImageCacheStatus) []metav1.Condition {
	list := slices.Clone(in.Previous.Conditions)
	all := []metav1.Condition{ready(in.Cache, t, s.Status), progressing(in.Cache, t, s), degraded(in, t)}
	if c, ever := purged(in, t, s.Status); ever {
		all = append(all, c)
	}
	for _, c := range all {
		c.ObservedGeneration = in.Cache.Generation
		c.LastTransitionTime = metav1.NewTime(in.Now.Truncate(1e9))
		meta.SetStatusCondition(&list, c)
	}
	return list
}

func condition(kind string, on bool, reason, format string, args ...any) metav1.Condition {
	status := metav1.ConditionFalse
	if on {
		status = metav1.ConditionTrue
	}
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

func ready(cache *Cache, t *tally, w v1alpha2.ImageCacheActionStatus) metav1.Condition {
	c := t.total
	switch {
	case cache.Purged() && settled(w):
		return condition(v1alpha2.ConditionReady, false, v1alpha2.ConditionReasonPurged, "the images were purged")
	case cache.Purged():
		return condition(v1alpha2.ConditionReady, false, v1alpha2.ConditionReasonPurging, "the images are being purged")
	case c.Desired == 0:
		return condition(v1alpha2.ConditionReady, false, v1alpha2.ConditionReasonNoNodesSelected, "no list selects any node, or there is no image")
	case c.Failed > 0:
		return condition(v1alpha2.ConditionReady, false, v1alpha2.ConditionReasonPullFailed, "%d of %d pairs cached, %d failed%s", c.Cached, c.Desired, c.Failed, waitingWords(t))
	case c.Cached > 0 && c.Pulling+c.Pending == 0:
		return condition(v1alpha2.ConditionReady, true, v1alpha2.ConditionReasonAllCached, "%d of %d pairs cached%s", c.Cached, c.Desired, waitingWords(t))
	default:
		return condition(v1alpha2.ConditionReady, false, v1alpha2.ConditionReasonPulling, "%d of %d pairs cached%s", c.Cached, c.Desired, waitingWords(t))
	}
}

func progressing(cache *Cache, t *tally, s *v1alpha2.ImageCacheStatus) metav1.Condition {
	c := t.total
	outstanding := t.work.nodes > t.work.served
	switch {
	case cache.Purged() && outstanding:
		return condition(v1alpha2.ConditionProgressing, true, v1alpha2.ConditionReasonPurging, "%d of %d nodes purged, %d images to be removed", t.work.served, t.work.nodes, t.removals.left)
	case t.removals.due > 0 && c.Pulling+c.Pending == 0:
		return condition(v1alpha2.ConditionProgressing, true, v1alpha2.ConditionReasonRemoving, "%d images to be removed", t.removals.due)
	case cache.Suspend:
		return condition(v1alpha2.ConditionProgressing, false, v1alpha2.ConditionReasonSuspended, "spec.suspend is true")
	case c.Pulling+c.Pending > 0:
		return condition(v1alpha2.ConditionProgressing, true, v1alpha2.ConditionReasonPulling, "%d pairs pulling, %d pending", c.Pulling, c.Pending)
	case operating(cache, s.LastOperation) && outstanding:
		return condition(v1alpha2.ConditionProgressing, true, v1alpha2.ConditionReasonRefreshing, "%d of %d nodes refreshed", t.work.served, t.work.nodes)
	case !settled(s.Status):
		return condition(v1alpha2.ConditionProgressing, false, v1alpha2.ConditionReasonNodesWaiting, "all selected nodes wait%s", waitingWords(t))
	default:
		return condition(v1alpha2.ConditionProgressing, false, v1alpha2.ConditionReasonSettled, "nothing left to do")
	}
}

// purged says whether the images of an ImageCache are off its nodes; there is
// nothing to say of one that was never purged.
func purged(in CacheInput, t *tally, w v1alpha2.ImageCacheActionStatus) (c metav1.Condition, ever bool) {
	known := meta.FindStatusCondition(in.Previous.Conditions, v1alpha2.ConditionPurged) != nil
	switch {
	case !in.Cache.Purged():
		return condition(v1alpha2.ConditionPurged, false, v1alpha2.ConditionReasonNotPurged, "refreshed or edited since the last purge"), known
	case !settled(w):
		return condition(v1alpha2.ConditionPurged, false, v1alpha2.ConditionReasonPurging, "%d images to be removed%s", t.removals.left, purgeWords(t)), true
	case t.removals.failures.total > 0:
		f := t.removals.failures.listed[0]
		return condition(v1alpha2.ConditionPurged, false, v1alpha2.ConditionReasonRemovalFailed, "%d images could not be removed, for example %s on %s: %s", t.removals.failures.total, f.image, f.Node, f.Reason), true
	default:
		return condition(v1alpha2.ConditionPurged, true, v1alpha2.ConditionReasonPurged, "the images are off the nodes%s", purgeWords(t)), true
	}
}

// purgeWords tells the nodes that cannot be purged now.
func purgeWords(t *tally) string {
	if t.work.waiting == 0 {
		return ""
	}
	return fmt.Sprintf("; %d nodes wait", t.work.waiting)
}

func degraded(in CacheInput, t *tally) metav1.Condition {
	switch {
	case len(in.SpecErrors) > 0:
		return condition(v1alpha2.ConditionDegraded, true, v1alpha2.ConditionReasonInvalidSpec, "%s", boundedWords(in.SpecErrors))
	case t.total.Failed > 0:
		f := t.failures.listed[0]
		return condition(v1alpha2.ConditionDegraded, true, v1alpha2.ConditionReasonPullFailed, "%d pairs failed, for example %s on %s: %s", t.total.Failed, f.image, f.Node, f.Reason)
	case t.removals.failures.total > 0:
		f := t.removals.failures.listed[0]
		return condition(v1alpha2.ConditionDegraded, true, v1alpha2.ConditionReasonRemovalFailed, "%d images could not be removed, for example %s on %s: %s", t.removals.failures.total, f.image, f.Node, f.Reason)
	default:
		return condition(v1alpha2.ConditionDegraded, false, v1alpha2.ConditionReasonNoFailures, "no pair failed")
	}
}

// waitingWords tells the waiting nodes by reason, in a stable order.
func waitingWords(t *tally) string {
	if t.nodes.Waiting == 0 {
		return ""
	}
	var words []string
	for reason, n := range t.nodes.WaitingReasons {
		words = append(words, fmt.Sprintf("%d %s", n, reason))
	}
	slices.Sort(words)
	return fmt.Sprintf("; %d nodes wait: %s", t.nodes.Waiting, strings.Join(words, ", "))
}

// boundedWords joins the first errors of a spec.
func boundedWords(errors []string) string {
	const most = 5
	if len(errors) > most {
		errors = append(slices.Clone(errors[:most]), fmt.Sprintf("and %d more", len(errors)-most))
	}
	return strings.Join(errors, "; ")
}
