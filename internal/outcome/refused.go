package outcome

import corev1 "k8s.io/api/core/v1"

// deadlineExceeded is the pod's reason when its own activeDeadlineSeconds
// passed (KUBE/pkg/kubelet/active_deadline.go): our time limit, not the node's word.
const deadlineExceeded = "DeadlineExceeded"

// refusal returns why the kubelet refused or evicted the pod, nil when it did
// not. A pod that failed by its containers has no reason of its own. The
// kubelet has many reasons and every release adds some (OutOfcpu, OutOfpods,
// Evicted, NodeShutdown, Terminated, Preempting, TopologyAffinityError, even
// whole sentences: KUBE/pkg/kubelet/kubelet.go, admissionRejectionReasons), so
// any reason counts. The API server's eviction and the pod garbage collector
// leave only the DisruptionTarget condition.
func (r *reader) refusal() *Refusal {
	status := &r.Pod.Status
	if status.Phase != corev1.PodFailed || status.Reason == deadlineExceeded {
		return nil
	}
	if status.Reason != "" {
		return &Refusal{Reason: Clean(status.Reason), Message: Clean(status.Message)}
	}
	for _, c := range status.Conditions {
		if c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue && r.undecided() {
			return &Refusal{Reason: Clean(c.Reason), Message: Clean(c.Message)}
		}
	}
	return nil
}

// keepOnlyProofs forgets what a refused pod says of images it did not pull or
// find: the node's trouble may be behind it, and the next pod will tell.
func (r *reader) keepOnlyProofs() {
	r.out.NeedEvents = false
	for i := range r.out.Images {
		if r.out.Images[i].Kind != Pulled {
			r.out.Images[i] = Image{Kind: NotTried}
		}
	}
}
