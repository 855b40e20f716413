package jobs

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// Parse reads back what Build wrote, and whether the Job controller is done
// with it. What became of the Job's pod is not read here: PodRunning, Gone and
// Attempt stay empty. An error says all that is damaged; nothing can be
// concluded from such a Job.
func Parse(job *batchv1.Job) (plan.Job, error) {
	var errs []error
	note := func(err error) { errs = append(errs, err) }
	what := kind(text(job, v1alpha2.AnnotationOperation, note), note)
	parsed := plan.Job{
		Kind:      what,
		Namespace: job.Namespace, Name: job.Name, UID: job.UID,
		NodeUID:  types.UID(text(job, v1alpha2.AnnotationNodeUID, note)),
		Owner:    owner(job, what, note),
		Sequence: sequence(text(job, v1alpha2.AnnotationSequence, note), note),
		Identity: text(job, v1alpha2.AnnotationIdentity, note),
		// These are not there in Jobs of earlier versions.
		Record:    types.UID(job.Annotations[v1alpha2.AnnotationNodeCacheUID]),
		Selectors: job.Annotations[v1alpha2.AnnotationSelectors],
		Images:    images(text(job, v1alpha2.AnnotationImages, note), note),
		Deadline:  deadline(text(job, v1alpha2.AnnotationDeadline, note), note),
		Created:   job.CreationTimestamp.Time,
		Deleting:  job.DeletionTimestamp != nil,
		Finished:  Finished(job),
	}
	checkContainers(job, &parsed, note)
	if len(errs) > 0 {
		return plan.Job{}, fmt.Errorf("read Job %s/%s: %w", job.Namespace, job.Name, errors.Join(errs...))
	}
	return parsed, nil
}

// kind returns what a Job of this operation does.
func kind(operation string, note func(error)) plan.JobKind {
	switch operation {
	case OperationPull, OperationVerify, OperationRemove:
		return plan.JobKind(operation)
	case "": // missing, which is noted
	default:
		note(fmt.Errorf("annotation %s: %q is no operation", v1alpha2.AnnotationOperation, operation))
	}
	return ""
}

func owner(job *batchv1.Job, what plan.JobKind, note func(error)) types.UID {
	want := ownerKind
	if what == plan.JobRemove {
		want = removalOwnerKind
	}
	if ref := metav1.GetControllerOfNoCopy(job); ref != nil && ref.Kind == want {
		return ref.UID
	}
	note(fmt.Errorf("no %s owns it", want))
	return ""
}

// checkContainers notes when the containers are not those of the Job's images:
// each image has one, or one stands for all.
func checkContainers(job *batchv1.Job, parsed *plan.Job, note func(error)) {
	want := len(parsed.Images)
	if parsed.Kind == plan.JobRemove || Together(job) {
		want = 1
	}
	if n := len(job.Spec.Template.Spec.Containers); n != want {
		note(fmt.Errorf("%d images but %d containers", len(parsed.Images), n))
	}
}

func text(obj metav1.Object, key string, note func(error)) string {
	value := obj.GetAnnotations()[key]
	if value == "" {
		note(fmt.Errorf("annotation %s is missing", key))
	}
	return value
}

func sequence(value string, note func(error)) int64 {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil && value != "" {
		note(fmt.Errorf("annotation %s: %q is not a number", v1alpha2.AnnotationSequence, value))
		return 0
	}
	return n
}

func deadline(value string, note func(error)) time.Duration {
	d, err := time.ParseDuration(value)
	if err != nil && value != "" {
		note(fmt.Errorf("annotation %s: %q is not a duration", v1alpha2.AnnotationDeadline, value))
	}
	return d
}

func images(value string, note func(error)) []string {
	var refs []string
	if err := json.Unmarshal([]byte(value), &refs); value != "" && (err != nil || len(refs) == 0) {
		note(fmt.Errorf("annotation %s: %q is not a list of images", v1alpha2.AnnotationImages, value))
	}
	return refs
}

// NodeName returns the name of the node a Job or a pod of ours is for, empty
// when it is none of ours.
func NodeName(obj metav1.Object) string {
	return obj.GetAnnotations()[v1alpha2.AnnotationNode]
}

// NodeUID returns the uid of the node a Job or a pod of ours is for.
func NodeUID(obj metav1.Object) types.UID {
	return types.UID(obj.GetAnnotations()[v1alpha2.AnnotationNodeUID])
}

// Sequence returns the number of a Job, or of a pod's Job, in its node's
// record; 0, which no Job has, when it is damaged.
func Sequence(obj metav1.Object) int64 {
	return sequence(obj.GetAnnotations()[v1alpha2.AnnotationSequence], func(error) {})
}

// Kind returns what a Job, or the Job of a pod, does; empty when that is damaged.
func Kind(obj metav1.Object) plan.JobKind {
	return kind(obj.GetAnnotations()[v1alpha2.AnnotationOperation], func(error) {})
}

// Method returns how a Job, or the Job of a pod, makes the kubelet pull.
func Method(obj metav1.Object) plan.Method {
	return plan.Method(obj.GetAnnotations()[v1alpha2.AnnotationMethod])
}

// LabelSelector selects our Jobs and their pods, and nothing else of ours.
func LabelSelector() labels.Selector {
	return labels.SelectorFromSet(labels.Set{
		v1alpha2.LabelApp:       v1alpha2.LabelAppValue,
		v1alpha2.LabelComponent: v1alpha2.LabelComponentValue,
	})
}

// ImageNames returns the names of the images that a Job pulls or verifies, as
// the user wrote them, in the order of its containers.
func ImageNames(job *batchv1.Job) []string {
	pod := &job.Spec.Template.Spec
	var names []string
	if Method(job) == plan.MethodExec {
		for i := range pod.Containers {
			names = append(names, pod.Containers[i].Image)
		}
		return names
	}
	for i := range pod.Volumes {
		if source := pod.Volumes[i].Image; source != nil {
			names = append(names, source.Reference)
		}
	}
	return names
}

// Together tells whether one container of the Job stands for all its images.
func Together(job *batchv1.Job) bool {
	containers := job.Spec.Template.Spec.Containers
	return len(containers) == 1 && containers[0].Name == outcome.TogetherContainerName
}

// Finished tells whether the Job controller is done with the Job.
func Finished(job *batchv1.Job) bool {
	return condition(job, batchv1.JobComplete) != nil || condition(job, batchv1.JobFailed) != nil
}

// FailedCondition returns why the Job failed, nil when it did not.
func FailedCondition(job *batchv1.Job) *outcome.Refusal {
	if c := condition(job, batchv1.JobFailed); c != nil {
		return &outcome.Refusal{Reason: c.Reason, Message: outcome.Clean(c.Message)}
	}
	return nil
}

// condition returns the Job's condition of a type if it is true.
func condition(job *batchv1.Job, kind batchv1.JobConditionType) *batchv1.JobCondition {
	for i := range job.Status.Conditions {
		if c := &job.Status.Conditions[i]; c.Type == kind && c.Status == corev1.ConditionTrue {
			return c
		}
	}
	return nil
}
