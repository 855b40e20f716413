package observe

import (
	"cmp"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubefledged/kubefledged-operator/internal/jobs"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// JobView is one of our Jobs as it was read: the Job, its pod, and the events
// of either. A Job that is gone while its pod is not has no Job object.
type JobView struct {
	Job *batchv1.Job
	Pod *corev1.Pod
	// Events of the pod, or of the Job while it has no pod.
	Events []outcome.Event
	// EventsRead is true when Events have been read.
	EventsRead bool
}

// Pair matches Jobs with their pods. A Job has one pod (backoffLimit 0); if it
// ever has more, the newest counts. A pod that no Job controls on the node it
// names is none of ours: anybody may give a pod our labels and annotations, and
// must not hold up the Jobs of a node by that.
func Pair(list []batchv1.Job, pods []corev1.Pod) []JobView {
	views := make([]JobView, 0, len(list))
	byUID := map[types.UID]int{}
	for i := range list {
		byUID[list[i].UID] = len(views)
		views = append(views, JobView{Job: &list[i]})
	}
	for i := range pods {
		pod := &pods[i]
		if !ours(pod) {
			continue
		}
		v, known := byUID[jobUID(pod)]
		switch {
		case !known:
			views = append(views, JobView{Pod: pod})
		case views[v].Pod == nil || views[v].Pod.CreationTimestamp.Before(&pod.CreationTimestamp):
			views[v].Pod = pod
		}
	}
	slices.SortStableFunc(views, func(a, b JobView) int { return cmp.Compare(a.name(), b.name()) })
	return views
}

func (v *JobView) name() string {
	if v.Job != nil {
		return v.Job.Namespace + "/" + v.Job.Name
	}
	return v.Pod.Namespace + "/" + v.Pod.Name
}

// ours tells whether the Job controller made the pod and its kubelet has it. An
// owner reference that is made up does not last: the garbage collector deletes
// what belongs to an object that does not exist.
func ours(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOfNoCopy(pod)
	return owner != nil && owner.Kind == "Job" && strings.HasPrefix(owner.APIVersion, batchv1.GroupName+"/") &&
		owner.UID == jobUID(pod) && pod.Spec.NodeName == jobs.NodeName(pod)
}

func jobUID(pod *corev1.Pod) types.UID {
	return types.UID(pod.Labels[batchv1.ControllerUidLabel])
}

// Job returns what matters of a Job of ours. An error means that its
// annotations are damaged, so that it cannot be accounted for.
func Job(v JobView, helper string, now time.Time) (plan.Job, error) {
	if v.Job == nil {
		return plan.Job{
			Kind: jobs.Kind(v.Pod), Namespace: v.Pod.Namespace, Name: v.Pod.Name, Gone: true,
			NodeUID: jobs.NodeUID(v.Pod), Sequence: jobs.Sequence(v.Pod), PodRunning: running(v.Pod),
		}, nil
	}
	job, err := jobs.Parse(v.Job)
	if err != nil {
		return job, err
	}
	job.PodRunning = running(v.Pod)
	read := outcome.Read
	if job.Kind == plan.JobRemove {
		read = outcome.ReadRemoval
	}
	job.Attempt = read(outcome.Input{
		Verify: job.Kind == plan.JobVerify,
		Images: job.Images, Helper: helper,
		ExecMethod:  jobs.Method(v.Job) == plan.MethodExec,
		Together:    jobs.Together(v.Job),
		HasSecrets:  job.Identity != plan.IdentityNode,
		JobCreated:  job.Created,
		JobFailed:   jobs.FailedCondition(v.Job),
		JobFinished: job.Finished,
		Pod:         v.Pod, Events: v.Events, EventsRead: v.EventsRead, Now: now,
	})
	return job, nil
}

// running tells whether the kubelet may still work on the pod.
func running(pod *corev1.Pod) bool {
	return pod != nil && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}

// EventSource returns the uid and namespace of the object whose events tell
// about the Job: its pod, or the Job while it has none.
func (v *JobView) EventSource() (types.UID, string) {
	if v.Pod != nil {
		return v.Pod.UID, v.Pod.Namespace
	}
	return v.Job.UID, v.Job.Namespace
}

// Event returns what matters of a Kubernetes Event, of the old or the new API.
func Event(e *corev1.Event) outcome.Event {
	at := e.LastTimestamp.Time
	if at.IsZero() {
		at = e.EventTime.Time
	}
	if e.Series != nil {
		at = e.Series.LastObservedTime.Time
	}
	return outcome.Event{
		Reason: e.Reason, Message: e.Message, Time: at,
		Warning: e.Type == corev1.EventTypeWarning,
	}
}
