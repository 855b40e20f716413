package plan

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// closingTaints are the taints that mean "no new work here". They are not
// tolerated by default, so that caching images never holds a node that is
// broken, full, or about to go. The keys are those of Kubernetes, of the
// cluster autoscaler and of Karpenter.
var closingTaints = map[string]string{
	corev1.TaintNodeUnschedulable:      v1alpha2.WaitingUnschedulable,
	corev1.TaintNodeNotReady:           v1alpha2.WaitingNotReady,
	corev1.TaintNodeUnreachable:        v1alpha2.WaitingNotReady,
	corev1.TaintNodeOutOfService:       v1alpha2.WaitingNotReady,
	corev1.TaintNodeDiskPressure:       v1alpha2.WaitingDiskPressure,
	corev1.TaintNodeMemoryPressure:     v1alpha2.WaitingMemoryPressure,
	corev1.TaintNodePIDPressure:        v1alpha2.WaitingPIDPressure,
	corev1.TaintNodeNetworkUnavailable: v1alpha2.WaitingNetwork,

	"ToBeDeletedByClusterAutoscaler":            v1alpha2.WaitingDeleting,
	"DeletionCandidateOfClusterAutoscaler":      v1alpha2.WaitingDeleting,
	"karpenter.sh/disrupted":                    v1alpha2.WaitingDeleting,
	"karpenter.sh/disruption":                   v1alpha2.WaitingDeleting,
	"karpenter.sh/unregistered":                 v1alpha2.WaitingNotReady,
	"node.cloudprovider.kubernetes.io/shutdown": v1alpha2.WaitingDeleting,
}

// Unavailable returns why a Node takes no new work, as one of the api's
// Waiting constants, or "" when it does. Taints that a cache may tolerate are
// not its business, see Blocked.
func Unavailable(node *corev1.Node) string {
	switch {
	case node.Labels[corev1.LabelOSStable] != "" && node.Labels[corev1.LabelOSStable] != "linux":
		return v1alpha2.WaitingUnsupportedOS
	case virtual(node):
		return v1alpha2.WaitingVirtualNode
	case node.DeletionTimestamp != nil:
		return v1alpha2.WaitingDeleting
	case node.Spec.Unschedulable:
		return v1alpha2.WaitingUnschedulable
	default:
		return conditionReason(node.Status.Conditions)
	}
}

// virtual tells nodes without a container runtime of their own: virtual
// kubelets and AWS Fargate.
func virtual(node *corev1.Node) bool {
	return node.Labels["type"] == "virtual-kubelet" ||
		node.Labels["eks.amazonaws.com/compute-type"] == "fargate"
}

func conditionReason(conditions []corev1.NodeCondition) string {
	ready := false
	for _, c := range conditions {
		on := c.Status == corev1.ConditionTrue
		switch {
		case c.Type == corev1.NodeReady:
			ready = on
		case c.Type == corev1.NodeDiskPressure && on:
			return v1alpha2.WaitingDiskPressure
		case c.Type == corev1.NodeMemoryPressure && on:
			return v1alpha2.WaitingMemoryPressure
		case c.Type == corev1.NodePIDPressure && on:
			return v1alpha2.WaitingPIDPressure
		case c.Type == corev1.NodeNetworkUnavailable && on:
			return v1alpha2.WaitingNetwork
		}
	}
	if !ready {
		return v1alpha2.WaitingNotReady
	}
	return ""
}

// Blocked returns why cache gets no new work on node, as one of the api's
// Waiting constants, or "" when it does.
func Blocked(node *Node, cache *Cache) string {
	if cache.Suspend {
		return v1alpha2.WaitingSuspended
	}
	if node.Unavailable != "" {
		return node.Unavailable
	}
	for i := range node.Taints {
		if reason := taintReason(&node.Taints[i], cache.Tolerations); reason != "" {
			return reason
		}
	}
	return ""
}

// taintReason returns why taint keeps a cache with these tolerations away, or "".
func taintReason(taint *corev1.Taint, tolerations []corev1.Toleration) string {
	closing, isClosing := closingTaints[taint.Key]
	if tolerations == nil {
		return closing
	}
	if taint.Effect == corev1.TaintEffectPreferNoSchedule && !isClosing {
		return ""
	}
	for i := range tolerations {
		if tolerates(&tolerations[i], taint) {
			return ""
		}
	}
	if isClosing {
		return closing
	}
	return v1alpha2.WaitingTaint
}

// tolerates follows the rules of a pod's tolerations
// (kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration).
func tolerates(t *corev1.Toleration, taint *corev1.Taint) bool {
	switch {
	case t.Effect != "" && t.Effect != taint.Effect:
		return false
	case t.Key != "" && t.Key != taint.Key:
		return false
	case t.Operator == corev1.TolerationOpExists:
		return true
	default:
		return t.Key != "" && t.Value == taint.Value
	}
}
