package observe

import (
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

func wakes(p predicate.Predicate, old, now client.Object) bool {
	return p.Update(event.UpdateEvent{ObjectOld: old, ObjectNew: now})
}

// A Job is updated three times by its controller, and a pod as often by its
// kubelet: each look at the node that nothing follows from is wasted.
func TestJobUpdatesThatWake(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(*batchv1.Job)
		want bool
	}{
		"nothing":             {func(j *batchv1.Job) { j.ResourceVersion = "2" }, false},
		"a pod is counted":    {func(j *batchv1.Job) { j.Status.Active, j.Status.Ready = 1, new(int32) }, false},
		"it is to be deleted": {func(j *batchv1.Job) { j.DeletionTimestamp = &metav1.Time{} }, true},
		"it is complete": {func(j *batchv1.Job) {
			j.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}
		}, true},
		"its images were edited": {func(j *batchv1.Job) { j.Annotations = map[string]string{"a": "b"} }, true},
	} {
		old := &batchv1.Job{}
		now := old.DeepCopy()
		tc.edit(now)
		if got := wakes(JobChanged(), old, now); got != tc.want {
			t.Errorf("%s: wakes %t", name, got)
		}
	}
}

func TestPodUpdatesThatWake(t *testing.T) {
	waiting := []corev1.ContainerStatus{{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull"}}}}
	for name, tc := range map[string]struct {
		edit func(*corev1.Pod)
		want bool
	}{
		"nothing":              {func(p *corev1.Pod) { p.ResourceVersion = "2" }, false},
		"the Job has counted":  {func(p *corev1.Pod) { p.Finalizers = nil }, false},
		"the sandbox is gone":  {func(p *corev1.Pod) { p.Status.Conditions = []corev1.PodCondition{{}} }, false},
		"it got an address":    {func(p *corev1.Pod) { p.Status.PodIP = "10.0.0.1" }, false},
		"it has begun":         {func(p *corev1.Pod) { p.Status.StartTime = &metav1.Time{} }, true},
		"it has ended":         {func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }, true},
		"it was refused":       {func(p *corev1.Pod) { p.Status.Reason = "OutOfpods" }, true},
		"an image is missing":  {func(p *corev1.Pod) { p.Status.ContainerStatuses = waiting }, true},
		"it is to be deleted":  {func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{} }, true},
		"its installer failed": {func(p *corev1.Pod) { p.Status.InitContainerStatuses = waiting }, true},
	} {
		old := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Finalizers: []string{batchv1.JobTrackingFinalizer}}}
		now := old.DeepCopy()
		tc.edit(now)
		if got := wakes(PodChanged(), old, now); got != tc.want {
			t.Errorf("%s: wakes %t", name, got)
		}
	}
}

func TestNamesAreRemembered(t *testing.T) {
	var n names
	for range 2 {
		if got := n.of("nginx:1"); got != "docker.io/library/nginx:1" {
			t.Errorf("got %q", got)
		}
		if got := n.of("<none>@<none>"); got != "" {
			t.Errorf("no name: %q", got)
		}
	}
	if len(n.refs) != 2 {
		t.Errorf("remembered %v", n.refs)
	}
}
