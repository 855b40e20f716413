package kubelets

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

// The steps of a pod, each with one write.
const (
	accepted  = iota // ContainerCreating
	pulled           // every container ended, or waits for its image
	backedOff        // those that wait say so in other words
	tornDown         // the sandbox of an ended pod is gone
	done
)

// The kubelet's own waits: a failed pull turns to back-off at its next look at
// the pod, and a sandbox takes a moment to go.
const (
	backOffAfter  = 10 * time.Second
	tearDownAfter = time.Second
	killAfter     = time.Second
)

// life is how far a pod has got.
type life struct {
	step int
	// due is when the next step is.
	due time.Time
	// failed holds the kubelet's words on each image that did not come.
	failed map[string]string
	// deleted is true when the kubelet is done with a pod that is being deleted.
	deleted bool
}

// advance takes a pod one step on when that is due.
func (k *Kubelets) advance(ctx context.Context, item work) error {
	obj, there, err := k.pods.GetStore().GetByKey(item.namespace + "/" + item.pod)
	pod, ok := obj.(*corev1.Pod)
	if err != nil || !there || !ok {
		return err
	}
	if pod.DeletionTimestamp != nil {
		return k.end(ctx, pod)
	}
	l := k.lifeOf(pod)
	if l.step == done || ended(pod) && l.step < tornDown {
		return nil
	}
	if wait := l.due.Sub(clock.Now()); wait > 0 {
		k.queue.AddAfter(item, wait)
		return nil
	}
	status := k.status(pod, l)
	if err := k.write(ctx, pod, status); err != nil {
		return err
	}
	k.follow(pod, l, status)
	if l.step != done {
		k.queue.AddAfter(item, max(0, l.due.Sub(clock.Now())))
	}
	return nil
}

func (k *Kubelets) lifeOf(pod *corev1.Pod) *life {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.lives[pod.UID]
	if l == nil {
		l = &life{failed: map[string]string{}}
		k.lives[pod.UID] = l
	}
	return l
}

// status returns what the pod's status becomes with its next step.
func (k *Kubelets) status(pod *corev1.Pod, l *life) corev1.PodStatus {
	switch l.step {
	case accepted:
		return creating(pod, metav1.NewTime(clock.Now()))
	case pulled:
		k.pull(pod, l)
		return finished(pod, l.failed, metav1.NewTime(clock.Now()))
	case backedOff:
		return backOff(pod, l.failed)
	default:
		return withoutSandbox(pod)
	}
}

// follow notes that a step is written, and when the next one is.
func (k *Kubelets) follow(pod *corev1.Pod, l *life, status corev1.PodStatus) {
	now := clock.Now()
	switch {
	case l.step == accepted:
		l.step, l.due = pulled, now.Add(k.pace.Sandbox)
		l.due = k.reserve(pod, l.due)
	case l.step == pulled && status.Phase == corev1.PodPending:
		l.step, l.due = backedOff, now.Add(backOffAfter)
	case l.step == pulled:
		l.step, l.due = tornDown, now.Add(tearDownAfter)
	default:
		l.step = done
	}
}

// reserve returns when the pulls of a pod are over that may begin at start: a
// kubelet pulls one image after another, whatever pod it is for. Where one of
// them is slow, what a kubelet tells of each is told at its time.
func (k *Kubelets) reserve(pod *corev1.Pod, start time.Time) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := k.at(pod.Spec.NodeName)
	end := start
	if n.busy.After(end) {
		end = n.busy
	}
	var told []timed
	slow := false
	for _, p := range pullsOf(pod) {
		took := k.takes(n, p)
		if took > 0 {
			told = append(told, timed{end, pulling(p.image)}, timed{end.Add(took - time.Millisecond), pulledIn(p.image, took)})
		}
		slow = slow || took > 0 && Slow(p.image)
		end = end.Add(took)
	}
	n.busy = end
	if slow {
		k.schedule(pod, told)
	}
	return end
}

// takes returns how long a pull takes on a node. The caller holds mu.
func (k *Kubelets) takes(n *node, p aPull) time.Duration {
	_, there := n.images[p.image]
	switch {
	case p.policy == corev1.PullNever, there && p.policy == corev1.PullIfNotPresent:
		return 0
	case Slow(p.image):
		return k.pace.Slow
	default:
		return k.pace.Pull
	}
}

// pull gives the node the images that the pod's containers need, and the pod
// the kubelet's words on those that do not come.
func (k *Kubelets) pull(pod *corev1.Pod, l *life) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := k.at(pod.Spec.NodeName)
	for _, p := range pullsOf(pod) {
		_, there := n.images[p.image]
		switch {
		case Missing(p.image):
			l.failed[p.image] = notFound(p.image)
		case there:
		case p.policy == corev1.PullNever:
			l.failed[p.image] = fmt.Sprintf("Container image %q is not present with pull policy of Never", p.image)
		default:
			n.images[p.image] = clock.Now()
			k.changed(pod.Spec.NodeName)
		}
	}
	k.remove(pod)
}

// end finishes a pod that is being deleted: what still ran is killed, and the
// pod goes.
func (k *Kubelets) end(ctx context.Context, pod *corev1.Pod) error {
	l := k.lifeOf(pod)
	if l.deleted {
		return nil
	}
	if !ended(pod) {
		if l.step < tornDown { // the first look since it is being deleted
			l.step, l.due = tornDown, clock.Now().Add(killAfter)
		}
		if wait := l.due.Sub(clock.Now()); wait > 0 {
			k.queue.AddAfter(workOf(pod), wait)
			return nil
		}
		if err := k.write(ctx, pod, killed(pod, metav1.NewTime(clock.Now()))); err != nil {
			return err
		}
	}
	err := k.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: ptr.To[int64](0), Preconditions: &metav1.Preconditions{UID: &pod.UID},
	})
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		l.deleted = true
		return nil
	}
	return err
}

// write patches the pod's status as the kubelet does, with its uid.
func (k *Kubelets) write(ctx context.Context, pod *corev1.Pod, status corev1.PodStatus) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.UID}, "status": status})
	if err != nil {
		return fmt.Errorf("encode status: %w", err)
	}
	_, err = k.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

func ended(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}
