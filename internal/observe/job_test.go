package observe

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/jobs"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// controlledBy makes the pod what the Job controller makes.
func controlledBy(pod *corev1.Pod, job *batchv1.Job) {
	pod.Labels = map[string]string{batchv1.ControllerUidLabel: string(job.UID)}
	pod.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: "batch/v1", Kind: "Job", Name: job.Name, UID: job.UID, Controller: ptr.To(true),
	}}
}

// leftover is a pod on node n whose Job is gone.
func leftover() *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", Annotations: map[string]string{
			v1alpha2.AnnotationNode: "n", v1alpha2.AnnotationNodeUID: "node",
			v1alpha2.AnnotationSequence: "7", v1alpha2.AnnotationOperation: "verify",
		}},
		Spec: corev1.PodSpec{NodeName: "n"},
	}
	controlledBy(pod, &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "j", UID: "job"}})
	return pod
}

// Anybody may write our labels and annotations on a pod.
func TestPodsOfOthersOccupyNoNode(t *testing.T) {
	for name, edit := range map[string]func(*corev1.Pod){
		"nobody controls it":             func(p *corev1.Pod) { p.OwnerReferences = nil },
		"it is owned but not controlled": func(p *corev1.Pod) { p.OwnerReferences[0].Controller = nil },
		"a ReplicaSet controls it": func(p *corev1.Pod) {
			p.OwnerReferences[0].APIVersion, p.OwnerReferences[0].Kind = "apps/v1", "ReplicaSet"
		},
		"a Job of another group":     func(p *corev1.Pod) { p.OwnerReferences[0].APIVersion = "batch.example/v1" },
		"another Job controls it":    func(p *corev1.Pod) { p.OwnerReferences[0].UID = "other" },
		"it has no controller's uid": func(p *corev1.Pod) { p.Labels = nil },
		"it runs on another node":    func(p *corev1.Pod) { p.Spec.NodeName = "m" },
		"it waits for a node":        func(p *corev1.Pod) { p.Spec.NodeName = "" },
	} {
		pod := leftover()
		edit(pod)
		if views := Pair(nil, []corev1.Pod{*pod}); len(views) != 0 {
			t.Errorf("%s: %+v", name, views)
		}
	}
	if views := Pair(nil, []corev1.Pod{*leftover()}); len(views) != 1 {
		t.Error("ours is not seen any more")
	}
}

// A pod of others must not speak for a Job of ours either.
func TestPodsOfOthersSpeakForNoJob(t *testing.T) {
	job := batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "j", UID: "job"}}
	pod := leftover()
	pod.OwnerReferences = nil
	if views := Pair([]batchv1.Job{job}, []corev1.Pod{*pod}); len(views) != 1 || views[0].Pod != nil {
		t.Errorf("got %+v", views)
	}
}

// observed returns what is read of a Job of this kind whose container is in
// this state.
func observed(t *testing.T, kind plan.JobKind, container string, state corev1.ContainerState) plan.Job {
	t.Helper()
	const image = "docker.io/library/a:1"
	job := jobs.Build(plan.JobSpec{
		Kind: kind, Owner: &plan.Cache{Namespace: "ns", Name: "c", UID: "owner"}, NodeCacheUID: "nc", Sequence: 3,
		Node:     &plan.Node{Name: "n", UID: "node", Method: plan.MethodImageVolume, Socket: "/run/r.sock"},
		Identity: plan.IdentityNode, Deadline: time.Minute,
		Images: []plan.Want{{Key: plan.Key{Image: image, Identity: plan.IdentityNode}, Name: "a:1"}},
	}, jobs.Options{HelperImage: "helper:1", RemovalNamespace: "ns"})
	job.UID = "job"
	pod := &corev1.Pod{ObjectMeta: job.Spec.Template.ObjectMeta, Spec: job.Spec.Template.Spec}
	controlledBy(pod, job)
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: container, State: state}}
	for _, obj := range []any{job, pod} {
		if _, err := Trim(obj); err != nil {
			t.Fatal(err)
		}
	}
	views := Pair([]batchv1.Job{*job}, []corev1.Pod{*pod})
	got, err := Job(views[0], "helper:1", time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestEachKindIsReadByItsRules also shows that what the informer keeps is enough.
func TestEachKindIsReadByItsRules(t *testing.T) {
	const missing = `Container image "a:1" is not present with pull policy of Never`
	waits := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImageNeverPull", Message: missing}}
	ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		Reason: "Completed", Message: `{"images":[{"image":"docker.io/library/a:1","result":"Removed"}]}`,
	}}
	for _, c := range []struct {
		kind      plan.JobKind
		container string
		state     corev1.ContainerState
		want      outcome.Image
	}{
		{plan.JobPull, "pull-0", waits, outcome.Image{Kind: outcome.Failed, Reason: v1alpha2.ReasonImagePullFailed, Message: missing}},
		{plan.JobVerify, "pull-0", waits, outcome.Image{Kind: outcome.Absent, Message: missing}},
		{plan.JobVerify, "pull-0", ended, outcome.Image{Kind: outcome.Pulled}},
		{plan.JobRemove, outcome.RemovalContainerName, ended, outcome.Image{Kind: outcome.Removed}},
	} {
		got := observed(t, c.kind, c.container, c.state)
		if diff := cmp.Diff([]outcome.Image{c.want}, got.Attempt.Images); diff != "" || got.Kind != c.kind || !got.Attempt.Settled {
			t.Errorf("%s: %+v (-want +got)\n%s", c.kind, got, diff)
		}
	}
}
