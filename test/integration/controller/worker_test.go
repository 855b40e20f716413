package controller

import (
	"context"
	"maps"
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

	"github.com/kubefledged/kubefledged-operator/internal/cri"
	"github.com/kubefledged/kubefledged-operator/internal/jobs"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// worker plays the Job controller, the kubelets and the garbage collector: it
// makes a pod for each Job, lets its images be pulled, looked for or removed,
// and removes the pods of deleted Jobs. Images whose name holds "missing" are
// not found.
type worker struct {
	// pullTime is how long one pull takes.
	pullTime time.Duration

	mu sync.Mutex
	// paused holds up what is not done yet.
	paused bool
	// images are what the nodes hold, by node and reference.
	images map[string]map[string]bool
	// used are images that pods use: they cannot be removed.
	used map[string]bool
	// pulls and removals count by node and image, verified by node; most is the
	// largest number of Jobs seen unfinished at once.
	pulls, removals, verified map[string]int
	most                      int
}

func startWorker(t *testing.T, pullTime time.Duration) *worker {
	t.Helper()
	w := &worker{
		pullTime: pullTime, images: map[string]map[string]bool{}, used: map[string]bool{},
		pulls: map[string]int{}, removals: map[string]int{}, verified: map[string]int{},
	}
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
	case time.Since(pod.CreationTimestamp.Time) < w.pullTime, w.isPaused():
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
	pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))}
	return pod
}

// finish reports all images at once, as a kubelet does.
func (w *worker) finish(ctx context.Context, job *batchv1.Job, pod *corev1.Pod) error {
	parsed, err := jobs.Parse(job)
	if err != nil {
		return err
	}
	pod.Status.Phase = corev1.PodSucceeded
	if parsed.Kind == plan.JobRemove {
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{w.remove(pod, parsed.Images)}
		return cp.Client.Status().Update(ctx, pod)
	}
	lacks := w.lacks(parsed.Kind, pod.Spec.NodeName)
	for i, container := range pod.Spec.Containers {
		shown := parsed.Images[i : i+1]
		if jobs.Together(job) {
			shown = parsed.Images
		}
		status := statusOf(container.Name, shown, lacks)
		if status.State.Waiting != nil {
			pod.Status.Phase = corev1.PodPending
		}
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, status)
	}
	w.count(parsed.Kind, pod.Spec.NodeName, parsed.Images)
	return cp.Client.Status().Update(ctx, pod)
}

// lacks returns how a kubelet says that it has not got an image; nil for one it has.
func (w *worker) lacks(kind plan.JobKind, node string) func(image string) *corev1.ContainerStateWaiting {
	return func(image string) *corev1.ContainerStateWaiting {
		w.mu.Lock()
		defer w.mu.Unlock()
		switch {
		case kind == plan.JobVerify && !w.images[node][image]:
			return &corev1.ContainerStateWaiting{
				Reason: "ErrImageNeverPull", Message: `Container image "` + image + `" is not present with pull policy of Never`,
			}
		case kind == plan.JobPull && isMissing(image):
			return &corev1.ContainerStateWaiting{
				Reason:  "ErrImagePull",
				Message: `rpc error: code = NotFound desc = failed to pull and unpack image "` + image + `": failed to resolve reference "` + image + `": ` + image + `: not found`,
			}
		}
		return nil
	}
}

// statusOf returns the status of a container that stands for these images.
func statusOf(container string, images []string, lacks func(string) *corev1.ContainerStateWaiting) corev1.ContainerStatus {
	status := corev1.ContainerStatus{Name: container}
	for _, image := range images {
		if waiting := lacks(image); waiting != nil {
			status.State.Waiting = waiting
			return status
		}
	}
	status.State.Terminated = &corev1.ContainerStateTerminated{Reason: "Completed"}
	return status
}

// remove removes images as the helper on a node does, and reports as it does.
func (w *worker) remove(pod *corev1.Pod, images []string) corev1.ContainerStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	var report cri.Report
	for _, image := range images {
		result := cri.ImageResult{Image: image, Result: cri.Removed}
		if w.used[image] {
			result.Result, result.Message = cri.InUse, "used by pod default/web"
		} else {
			delete(w.images[pod.Spec.NodeName], image)
			w.removals[pod.Spec.NodeName+" "+image]++
		}
		report.Images = append(report.Images, result)
	}
	text, _ := report.Encode() // strings always encode
	return corev1.ContainerStatus{Name: pod.Spec.Containers[0].Name, State: corev1.ContainerState{
		Terminated: &corev1.ContainerStateTerminated{Reason: "Completed", Message: string(text)},
	}}
}

func isMissing(image string) bool { return strings.Contains(image, "missing") }

// count counts how often a node was asked, and what it has now.
func (w *worker) count(kind plan.JobKind, node string, images []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if kind == plan.JobVerify {
		w.verified[node]++
		return
	}
	if w.images[node] == nil {
		w.images[node] = map[string]bool{}
	}
	for _, image := range images {
		w.pulls[node+" "+image]++
		if !isMissing(image) {
			w.images[node][image] = true
		}
	}
}

func (w *worker) isPaused() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.paused
}

func (w *worker) pause(paused bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paused = paused
}

// use lets a pod use an image, or no longer.
func (w *worker) use(image string, used bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.used[image] = used
}

// lose lets an image vanish from a node.
func (w *worker) lose(node, image string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.images[node], image)
}

// holds returns what a node holds.
func (w *worker) holds(node string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.images[node]))
}

// counts returns how often an image was pulled onto and removed from a node.
func (w *worker) counts(node, image string) (pulls, removals int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pulls[node+" "+image], w.removals[node+" "+image]
}

// removed returns how many removals there were.
func (w *worker) removed() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.removals)
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
