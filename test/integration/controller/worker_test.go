package controller

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/internal/jobs"
)

// worker plays the Job controller, the kubelets and the garbage collector: it
// makes a pod for each Job, lets its images be pulled, and removes the pods of
// deleted Jobs. Images whose name holds "missing" are not found.
type worker struct {
	// pullTime is how long one pull takes.
	pullTime time.Duration

	mu sync.Mutex
	// pulls counts pulls by node and image; most is the largest number of Jobs
	// seen unfinished at once.
	pulls map[string]int
	most  int
}

func startWorker(t *testing.T, pullTime time.Duration) *worker {
	t.Helper()
	w := &worker{pullTime: pullTime, pulls: map[string]int{}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			w.step(ctx, t)
			time.Sleep(20 * time.Millisecond)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return w
}

func (w *worker) step(ctx context.Context, t *testing.T) {
	var list batchv1.JobList
	var pods corev1.PodList
	if cp.Client.List(ctx, &list) != nil || cp.Client.List(ctx, &pods) != nil {
		return // the test is over
	}
	w.mu.Lock()
	w.most = max(w.most, len(list.Items))
	w.mu.Unlock()
	byJob := map[types.UID]*corev1.Pod{}
	for i := range pods.Items {
		byJob[types.UID(pods.Items[i].Labels[batchv1.ControllerUidLabel])] = &pods.Items[i]
	}
	for i := range list.Items {
		job := &list.Items[i]
		pod := byJob[job.UID]
		delete(byJob, job.UID)
		if err := w.advance(ctx, job, pod); err != nil && ctx.Err() == nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			t.Errorf("worker: %v", err)
		}
	}
	for _, orphan := range byJob {
		_ = cp.Client.Delete(ctx, orphan, client.GracePeriodSeconds(0))
	}
}

// advance brings one Job a step further.
func (w *worker) advance(ctx context.Context, job *batchv1.Job, pod *corev1.Pod) error {
	switch {
	case pod == nil:
		return cp.Client.Create(ctx, podOf(job))
	case pod.Status.Phase == corev1.PodSucceeded || len(pod.Status.ContainerStatuses) > 0:
		return nil
	case pod.Status.StartTime == nil:
		now := metav1.Now()
		pod.Status.StartTime = &now
		return cp.Client.Status().Update(ctx, pod)
	case time.Since(pod.CreationTimestamp.Time) < w.pullTime:
		return nil
	}
	return w.finish(ctx, job, pod)
}

func podOf(job *batchv1.Job) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: *job.Spec.Template.ObjectMeta.DeepCopy(), Spec: *job.Spec.Template.Spec.DeepCopy()}
	pod.Namespace, pod.GenerateName = job.Namespace, job.Name+"-"
	if pod.Labels == nil {
		pod.Labels = map[string]string{}
	}
	pod.Labels[batchv1.ControllerUidLabel] = string(job.UID)
	return pod
}

// finish reports all images at once, as a kubelet does.
func (w *worker) finish(ctx context.Context, job *batchv1.Job, pod *corev1.Pod) error {
	images := jobs.ImageNames(job)
	pod.Status.Phase = corev1.PodSucceeded
	for i, container := range pod.Spec.Containers {
		shown := images[i : i+1]
		if jobs.Together(job) {
			shown = images
		}
		status := statusOf(container.Name, shown)
		if status.State.Waiting != nil {
			pod.Status.Phase = corev1.PodPending
		}
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, status)
	}
	w.count(pod.Spec.NodeName, images)
	return cp.Client.Status().Update(ctx, pod)
}

// statusOf returns the status of a container that stands for these images.
func statusOf(container string, images []string) corev1.ContainerStatus {
	status := corev1.ContainerStatus{Name: container}
	for _, image := range images {
		if isMissing(image) {
			status.State.Waiting = &corev1.ContainerStateWaiting{
				Reason:  "ErrImagePull",
				Message: `rpc error: code = NotFound desc = failed to pull and unpack image "` + image + `": failed to resolve reference "` + image + `": ` + image + `: not found`,
			}
			return status
		}
	}
	status.State.Terminated = &corev1.ContainerStateTerminated{Reason: "Completed"}
	return status
}

func isMissing(image string) bool { return strings.Contains(image, "missing") }

// count counts how often a node was asked to pull.
func (w *worker) count(node string, images []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, image := range images {
		w.pulls[node+" "+image]++
	}
}

// repeated returns the pairs that were pulled more than once.
func (w *worker) repeated() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var again []string
	for pair, n := range w.pulls {
		if n > 1 {
			again = append(again, pair)
		}
	}
	slices.Sort(again)
	return again
}

func (w *worker) mostJobs() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.most
}
