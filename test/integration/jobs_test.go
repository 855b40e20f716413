package integration

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// jobRules let a user make Jobs and read ImageCaches, and no more.
var jobRules = []rbacv1.PolicyRule{
	{APIGroups: []string{"batch"}, Resources: []string{"jobs"}, Verbs: []string{"create", "get"}},
	{APIGroups: []string{"kubefledged.io"}, Resources: []string{"imagecaches"}, Verbs: []string{"get"}},
}

// ownedJob is a Job with an owner reference to an ImageCache.
func ownedJob(ic *v1alpha2.ImageCache, name string, blocks bool) *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: ic.Namespace, Name: name, OwnerReferences: []metav1.OwnerReference{{
			APIVersion: v1alpha2.GroupVersion.String(), Kind: "ImageCache", Name: ic.Name, UID: ic.UID, BlockOwnerDeletion: ptr.To(blocks),
		}}},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			Containers:    []corev1.Container{{Name: "image", Image: "nginx:1"}},
		}}},
	}
}
