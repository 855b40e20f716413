package jobs_test

import (
	"cmp"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/jobs"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

func TestRoundTrip(t *testing.T) {
	created := metav1.NewTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	full, opts := everyOption()
	for _, s := range []plan.JobSpec{
		spec(plan.MethodImageVolume, three()...), spec(plan.MethodExec, three()[:2]...), longNames(), full,
		of(plan.JobVerify, together()), of(plan.JobVerify, spec(plan.MethodExec, three()...)),
	} {
		job := jobs.Build(s, opts)
		job.UID, job.CreationTimestamp, job.DeletionTimestamp = "job-uid", created, &created
		want := plan.Job{
			Kind: cmp.Or(s.Kind, plan.JobPull), Namespace: "team-a", Name: job.Name, UID: "job-uid", NodeUID: "node-uid", Record: "nodecache-uid", Owner: "cache-uid",
			Sequence: 7, Identity: s.Identity, Deadline: 5 * time.Minute, Created: created.Time, Deleting: true,
		}
		var names []string
		for _, w := range s.Images {
			want.Images = append(want.Images, w.Image)
			names = append(names, w.Name)
		}
		got, err := jobs.Parse(job)
		if diff := gocmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("Parse: %v (-want +got)\n%s", err, diff)
		}
		if diff := gocmp.Diff(names, jobs.ImageNames(job)); diff != "" {
			t.Errorf("ImageNames (-want +got)\n%s", diff)
		}
		// A pod that outlives its Job tells whose it was.
		pod := &corev1.Pod{ObjectMeta: job.Spec.Template.ObjectMeta}
		if jobs.NodeName(pod) != s.Node.Name || jobs.NodeUID(pod) != s.Node.UID || jobs.Sequence(pod) != 7 || jobs.Kind(pod) != want.Kind ||
			jobs.Method(pod) != s.Node.Method || !jobs.LabelSelector().Matches(labels.Set(pod.Labels)) {
			t.Errorf("the pod's metadata: %+v", pod.ObjectMeta)
		}
	}
}

func TestRoundTripOfARemoval(t *testing.T) {
	s := removal()
	s.Keep = nil
	job := jobs.Build(s, options())
	job.UID = "job-uid"
	job.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: corev1.ConditionTrue}}
	want := plan.Job{
		Kind: plan.JobRemove, Namespace: "kube-fledged-node", Name: job.Name, UID: "job-uid", NodeUID: "node-uid", Record: "nodecache-uid",
		Owner: "nodecache-uid", Sequence: 7, Identity: plan.IdentityNode, Deadline: 5 * time.Minute, Finished: true,
		Images: []string{"docker.io/library/nginx:latest", "registry.example:5000/team/db:2", "docker.io/library/redis:8"},
	}
	got, err := jobs.Parse(job)
	if diff := gocmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Parse: %v (-want +got)\n%s", err, diff)
	}
	if !jobs.LabelSelector().Matches(labels.Set(job.Labels)) || jobs.NodeName(job) != "node-1" {
		t.Errorf("the Job's metadata: %+v", job.ObjectMeta)
	}
}

// A removal belongs to the node's record and nothing else does.
func TestOwnersOfJobs(t *testing.T) {
	pull, remove := jobs.Pull(together(), options()), jobs.Remove(removal(), options())
	pull.OwnerReferences, remove.OwnerReferences = remove.OwnerReferences, pull.OwnerReferences
	for job, words := range map[*batchv1.Job]string{pull: "no ImageCache owns it", remove: "no NodeCache owns it"} {
		if _, err := jobs.Parse(job); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("want %q, got %v", words, err)
		}
	}
	twice := jobs.Remove(removal(), options())
	containers := &twice.Spec.Template.Spec.Containers
	*containers = append(*containers, (*containers)[0])
	if _, err := jobs.Parse(twice); err == nil || !strings.Contains(err.Error(), "3 images but 2 containers") {
		t.Errorf("a second container: %v", err)
	}
}

func TestDamagedJobs(t *testing.T) {
	annotate := func(key, value string) func(*batchv1.Job) {
		return func(job *batchv1.Job) { job.Annotations[key] = value }
	}
	for wanted, damage := range map[string]func(*batchv1.Job){
		"annotation kubefledged.io/node-uid is missing": func(job *batchv1.Job) {
			delete(job.Annotations, v1alpha2.AnnotationNodeUID)
		},
		"annotation kubefledged.io/pull-identity is missing":                  annotate(v1alpha2.AnnotationIdentity, ""),
		`annotation kubefledged.io/sequence: "7th" is not a number`:           annotate(v1alpha2.AnnotationSequence, "7th"),
		`annotation kubefledged.io/pull-deadline: "soon" is not a duration`:   annotate(v1alpha2.AnnotationDeadline, "soon"),
		`annotation kubefledged.io/images: "{}" is not a list of images`:      annotate(v1alpha2.AnnotationImages, "{}"),
		`annotation kubefledged.io/images: "[]" is not a list of images`:      annotate(v1alpha2.AnnotationImages, "[]"),
		`annotation kubefledged.io/operation: "dance" is no operation`:        annotate(v1alpha2.AnnotationOperation, "dance"),
		"1 images but 3 containers":                                           annotate(v1alpha2.AnnotationImages, `["a"]`),
		"no ImageCache owns it":                                               func(job *batchv1.Job) { job.OwnerReferences[0].Kind = "CronJob" },
		"kubefledged.io/sequence is missing\nannotation kubefledged.io/pull-": func(job *batchv1.Job) { job.Annotations = nil },
	} {
		job := jobs.Pull(spec(plan.MethodImageVolume, three()...), options())
		damage(job)
		got, err := jobs.Parse(job)
		if err == nil || !strings.HasPrefix(err.Error(), "read Job team-a/frontend-") || !strings.Contains(err.Error(), wanted) {
			t.Errorf("want %q, got %v", wanted, err)
		}
		if diff := gocmp.Diff(plan.Job{}, got); diff != "" {
			t.Errorf("%s: half a Job: %s", wanted, diff)
		}
	}
	if got := jobs.Sequence(&batchv1.Job{}); got != 0 {
		t.Errorf("Sequence of nothing is %d", got)
	}
	odd := &batchv1.Job{}
	odd.Annotations = map[string]string{v1alpha2.AnnotationOperation: "dance"}
	for _, job := range []*batchv1.Job{{}, odd} {
		if got := jobs.Kind(job); got != "" {
			t.Errorf("Kind of %v is %q", job.Annotations, got)
		}
	}
}

func TestFinished(t *testing.T) {
	for name, c := range map[string]struct {
		conditions []batchv1.JobCondition
		finished   bool
		failed     *outcome.Refusal
	}{
		"new":      {},
		"complete": {[]batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}, true, nil},
		"failed": {[]batchv1.JobCondition{
			{Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue, Reason: "x"},
			{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, Reason: "BackoffLimitExceeded", Message: "has\nreached"},
		}, true, &outcome.Refusal{Reason: "BackoffLimitExceeded", Message: "has reached"}},
		"about to fail": {[]batchv1.JobCondition{{Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue}}, false, nil},
		"not failed":    {[]batchv1.JobCondition{{Type: batchv1.JobFailed, Status: corev1.ConditionFalse}}, false, nil},
	} {
		job := &batchv1.Job{Status: batchv1.JobStatus{Conditions: c.conditions}}
		if got := jobs.Finished(job); got != c.finished {
			t.Errorf("%s: finished %v", name, got)
		}
		if diff := gocmp.Diff(c.failed, jobs.FailedCondition(job)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}
