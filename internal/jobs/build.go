package jobs

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// Kinds of the objects that own Jobs.
const (
	// ownerKind owns the Jobs that pull and verify.
	ownerKind = "ImageCache"
	// removalOwnerKind owns those that remove: whose images these were may be
	// gone, but the node's record is there as long as the node is.
	removalOwnerKind = "NodeCache"
)

// Build returns the Job that spec asks for: one pod and one try. A kind that is
// empty counts as a pull.
func Build(spec plan.JobSpec, opts Options) *batchv1.Job {
	switch spec.Kind {
	case plan.JobVerify:
		return Verify(spec, opts)
	case plan.JobRemove:
		return Remove(spec, opts)
	default:
		return Pull(spec, opts)
	}
}

// Pull returns the Job that makes one kubelet pull the images of spec.
func Pull(spec plan.JobSpec, opts Options) *batchv1.Job {
	return ownedByCache(OperationPull, &spec, &opts)
}

// Verify returns the Job that asks one kubelet whether the images of spec are
// there. It is a pull Job with pullPolicy Never: the kubelet looks at its
// runtime and asks no registry (KUBE/pkg/kubelet/images/image_manager.go,
// imagePullPrecheck). It says the same of an image that is there but may not be
// used with these pull secrets, and that needs a pull, too.
func Verify(spec plan.JobSpec, opts Options) *batchv1.Job {
	spec.Images = slices.Clone(spec.Images)
	for i := range spec.Images {
		spec.Images[i].Policy = corev1.PullNever
	}
	return ownedByCache(OperationVerify, &spec, &opts)
}

// ownedByCache returns a Job in its ImageCache's namespace.
func ownedByCache(operation string, spec *plan.JobSpec, opts *Options) *batchv1.Job {
	job := newJob(operation, spec, opts)
	job.Namespace = spec.Owner.Namespace
	job.Name = Name(spec.Owner.Name, spec.NodeCacheUID, operation, spec.Sequence)
	job.OwnerReferences = []metav1.OwnerReference{ownerOf(ownerKind, spec.Owner.Name, spec.Owner.UID)}
	job.Labels[v1alpha2.LabelImageCache] = LabelValue(spec.Owner.Name)
	job.Annotations[v1alpha2.AnnotationImageCache] = spec.Owner.Namespace + "/" + spec.Owner.Name
	job.Annotations[v1alpha2.AnnotationMethod] = string(spec.Node.Method)
	if spec.Owner.Selectors != "" {
		job.Annotations[v1alpha2.AnnotationSelectors] = spec.Owner.Selectors
	}
	setPod(job, podSpec(spec, opts))
	return job
}

// newJob returns what all Jobs have in common.
func newJob(operation string, spec *plan.JobSpec, opts *Options) *batchv1.Job {
	return &batchv1.Job{
		TypeMeta: metav1.TypeMeta{APIVersion: batchv1.SchemeGroupVersion.String(), Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{
			Labels:      ownLabels(opts),
			Annotations: ownAnnotations(operation, spec, opts),
		},
		Spec: batchv1.JobSpec{
			Parallelism:             ptr.To[int32](1),
			Completions:             ptr.To[int32](1),
			BackoffLimit:            ptr.To[int32](0), // retries are the planner's
			ActiveDeadlineSeconds:   ptr.To(backstop(len(spec.Images), spec.Deadline)),
			TTLSecondsAfterFinished: ptr.To(opts.timeToLive()),
			// A pod that is being deleted has not failed yet: its kubelet may
			// still pull, and the next Job has to wait for that.
			PodReplacementPolicy: ptr.To(batchv1.Failed),
		},
	}
}

// setPod gives the pods of a Job the Job's labels and annotations.
func setPod(job *batchv1.Job, pod corev1.PodSpec) {
	job.Spec.Template.Labels = maps.Clone(job.Labels)
	job.Spec.Template.Annotations = maps.Clone(job.Annotations)
	job.Spec.Template.Spec = pod
}

// ownLabels are the original's, for scripts that select by them.
func ownLabels(opts *Options) map[string]string {
	return merged(opts.ExtraLabels, map[string]string{
		v1alpha2.LabelApp:        v1alpha2.LabelAppValue,
		v1alpha2.LabelComponent:  v1alpha2.LabelComponentValue,
		v1alpha2.LabelController: v1alpha2.LabelControllerValue,
	})
}

// ownAnnotations hold what is read back; they are on the pod too, which may outlive its Job.
func ownAnnotations(operation string, spec *plan.JobSpec, opts *Options) map[string]string {
	return merged(opts.ExtraAnnotations, map[string]string{
		v1alpha2.AnnotationNode:         spec.Node.Name,
		v1alpha2.AnnotationNodeUID:      string(spec.Node.UID),
		v1alpha2.AnnotationNodeCacheUID: string(spec.NodeCacheUID),
		v1alpha2.AnnotationOperation:    operation,
		v1alpha2.AnnotationSequence:     strconv.FormatInt(spec.Sequence, 10),
		v1alpha2.AnnotationIdentity:     spec.Identity,
		v1alpha2.AnnotationImages:       imageList(spec.Images),
		v1alpha2.AnnotationDeadline:     spec.Deadline.String(),
		v1alpha2.AnnotationSafeToEvict:  "true",
	})
}

func merged(extra, own map[string]string) map[string]string {
	all := maps.Clone(extra)
	if all == nil {
		return own
	}
	maps.Copy(all, own)
	return all
}

func imageList(wants []plan.Want) string {
	text, err := json.Marshal(refs(wants))
	if err != nil {
		panic(err) // strings always marshal
	}
	return string(text)
}

// ownerOf does not block the owner's deletion: that would need the right to
// change its finalizers (admission plugin OwnerReferencesPermissionEnforcement).
func ownerOf(kind, name string, uid types.UID) metav1.OwnerReference {
	return metav1.OwnerReference{
		APIVersion: v1alpha2.GroupVersion.String(), Kind: kind, Name: name, UID: uid,
		Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(false),
	}
}

// backstop returns activeDeadlineSeconds for n images of one deadline each. Its
// bound is that of a pod's (KUBE/pkg/apis/core/validation, ValidatePodSpec).
func backstop(n int, deadline time.Duration) int64 {
	seconds := float64(n)*math.Ceil(max(0, deadline).Seconds()) + Backstop.Seconds()
	return int64(min(seconds, math.MaxInt32))
}
