package jobs

import (
	"encoding/json"
	"maps"
	"math"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// ownerKind is the kind of the objects that own Jobs.
const ownerKind = "ImageCache"

// Pull returns the Job that makes one kubelet pull the images of spec: one pod
// and one try.
func Pull(spec plan.JobSpec, opts Options) *batchv1.Job {
	job := &batchv1.Job{
		TypeMeta: metav1.TypeMeta{APIVersion: batchv1.SchemeGroupVersion.String(), Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       spec.Owner.Namespace,
			Name:            Name(spec.Owner.Name, spec.NodeCacheUID, OperationPull, spec.Sequence),
			Labels:          ownLabels(&spec, &opts),
			Annotations:     ownAnnotations(&spec, &opts),
			OwnerReferences: []metav1.OwnerReference{ownerOf(spec.Owner)},
		},
		Spec: batchv1.JobSpec{
			Parallelism:             ptr.To[int32](1),
			Completions:             ptr.To[int32](1),
			BackoffLimit:            ptr.To[int32](0), // retries are the planner's
			ActiveDeadlineSeconds:   ptr.To(backstop(len(spec.Images), spec.Deadline)),
			TTLSecondsAfterFinished: ptr.To(int32(TimeToLive / time.Second)),
			// A pod that is being deleted has not failed yet: its kubelet may
			// still pull, and the next Job has to wait for that.
			PodReplacementPolicy: ptr.To(batchv1.Failed),
		},
	}
	job.Spec.Template.Labels = maps.Clone(job.Labels)
	job.Spec.Template.Annotations = maps.Clone(job.Annotations)
	job.Spec.Template.Spec = podSpec(&spec, &opts)
	return job
}

// ownLabels are the original's, for scripts that select by them.
func ownLabels(spec *plan.JobSpec, opts *Options) map[string]string {
	return merged(opts.ExtraLabels, map[string]string{
		v1alpha2.LabelApp:        v1alpha2.LabelAppValue,
		v1alpha2.LabelComponent:  v1alpha2.LabelComponentValue,
		v1alpha2.LabelController: v1alpha2.LabelControllerValue,
		v1alpha2.LabelImageCache: LabelValue(spec.Owner.Name),
	})
}

// ownAnnotations hold what is read back; they are on the pod too, which may outlive its Job.
func ownAnnotations(spec *plan.JobSpec, opts *Options) map[string]string {
	return merged(opts.ExtraAnnotations, map[string]string{
		v1alpha2.AnnotationImageCache:  spec.Owner.Namespace + "/" + spec.Owner.Name,
		v1alpha2.AnnotationNode:        spec.Node.Name,
		v1alpha2.AnnotationNodeUID:     string(spec.Node.UID),
		v1alpha2.AnnotationOperation:   OperationPull,
		v1alpha2.AnnotationSequence:    strconv.FormatInt(spec.Sequence, 10),
		v1alpha2.AnnotationIdentity:    spec.Identity,
		v1alpha2.AnnotationImages:      imageList(spec.Images),
		v1alpha2.AnnotationMethod:      string(spec.Node.Method),
		v1alpha2.AnnotationDeadline:    spec.Deadline.String(),
		v1alpha2.AnnotationSafeToEvict: "true",
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
	refs := make([]string, len(wants))
	for i := range wants {
		refs[i] = wants[i].Image
	}
	text, err := json.Marshal(refs)
	if err != nil {
		panic(err) // strings always marshal
	}
	return string(text)
}

// ownerOf does not block the owner's deletion: that would need the right to
// change its finalizers (admission plugin OwnerReferencesPermissionEnforcement).
func ownerOf(owner *plan.Cache) metav1.OwnerReference {
	return metav1.OwnerReference{
		APIVersion: v1alpha2.GroupVersion.String(), Kind: ownerKind, Name: owner.Name, UID: owner.UID,
		Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(false),
	}
}

// backstop returns activeDeadlineSeconds for n images of one deadline each. Its
// bound is that of a pod's (KUBE/pkg/apis/core/validation, ValidatePodSpec).
func backstop(n int, deadline time.Duration) int64 {
	seconds := float64(n)*math.Ceil(max(0, deadline).Seconds()) + Backstop.Seconds()
	return int64(min(seconds, math.MaxInt32))
}
