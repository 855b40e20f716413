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
func conditions(in CacheInput, t *tally, w v1alpha2.ImageCacheActionStatus) []metav1.Condition {
	list := slices.Clone(in.Previous.Conditions)
	for _, c := range []metav1.Condition{ready(t, w), progressing(in.Cache, t, w), degraded(in, t)} {
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

func ready(t *tally, w v1alpha2.ImageCacheActionStatus) metav1.Condition {
	c := t.total
	switch {
	case c.Desired == 0:
		return condition(v1alpha2.ConditionReady, false, v1alpha2.ConditionReasonNoNodesSelected, "no list selects any node, or there is no image")
	case w == v1alpha2.ImageCacheActionStatusSucceeded && c.Pulling+c.Pending == 0:
		return condition(v1alpha2.ConditionReady, true, v1alpha2.ConditionReasonAllCached, "%d of %d pairs cached%s", c.Cached, c.Desired, waitingWords(t))
	case c.Failed > 0:
		return condition(v1alpha2.ConditionReady, false, v1alpha2.ConditionReasonPullFailed, "%d of %d pairs cached, %d failed%s", c.Cached, c.Desired, c.Failed, waitingWords(t))
	default:
		return condition(v1alpha2.ConditionReady, false, v1alpha2.ConditionReasonPulling, "%d of %d pairs cached%s", c.Cached, c.Desired, waitingWords(t))
	}
}

func progressing(cache *Cache, t *tally, w v1alpha2.ImageCacheActionStatus) metav1.Condition {
	c := t.total
	switch {
	case cache.Suspend:
		return condition(v1alpha2.ConditionProgressing, false, v1alpha2.ConditionReasonSuspended, "spec.suspend is true")
	case c.Pulling+c.Pending > 0:
		return condition(v1alpha2.ConditionProgressing, true, v1alpha2.ConditionReasonPulling, "%d pairs pulling, %d pending", c.Pulling, c.Pending)
	case !settled(w):
		return condition(v1alpha2.ConditionProgressing, false, v1alpha2.ConditionReasonNodesWaiting, "all selected nodes wait%s", waitingWords(t))
	default:
		return condition(v1alpha2.ConditionProgressing, false, v1alpha2.ConditionReasonSettled, "nothing left to do")
	}
}

func degraded(in CacheInput, t *tally) metav1.Condition {
	switch {
	case len(in.SpecErrors) > 0:
		return condition(v1alpha2.ConditionDegraded, true, v1alpha2.ConditionReasonInvalidSpec, "%s", boundedWords(in.SpecErrors))
	case t.total.Failed > 0:
		f := t.failures[0]
		return condition(v1alpha2.ConditionDegraded, true, v1alpha2.ConditionReasonPullFailed, "%d pairs failed, for example %s on %s: %s", t.total.Failed, f.image, f.Node, f.Reason)
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
