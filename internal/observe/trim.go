package observe

import (
	"slices"
	"unique"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// Trim drops what no decision reads from an object before the informer keeps
// it. A node with fifty images is mostly annotations, addresses and managed
// fields.
func Trim(obj any) (any, error) {
	if o, ok := obj.(metav1.Object); ok {
		o.SetManagedFields(nil)
	}
	switch o := obj.(type) {
	case *corev1.Node:
		trimNode(o)
	case *corev1.Pod:
		o.Spec = trimPodSpec(&o.Spec)
	case *batchv1.Job:
		o.Spec.Template.Spec = trimPodSpec(&o.Spec.Template.Spec)
	case *v1alpha2.ImageCache:
		delete(o.Annotations, corev1.LastAppliedConfigAnnotation)
	case *v1alpha2.NodeCache:
		share(&o.Status)
	}
	return obj, nil
}

// share has equal strings of all records be one in memory: every node has the
// same images, and each record comes from the API server with its own copy. So
// does it with claims: most images of a node have those of the one before.
func share(status *v1alpha2.NodeCacheStatus) {
	status.Images, status.Claims = fit(status.Images), fit(status.Claims)
	var before []int32
	for i := range status.Claims {
		c := &status.Claims[i]
		c.Namespace, c.Name, c.UID, c.Selectors = one(c.Namespace), one(c.Name), one(c.UID), one(c.Selectors)
	}
	for i := range status.Images {
		rec := &status.Images[i]
		rec.Image, rec.Identity, rec.State = one(rec.Image), one(rec.Identity), one(rec.State)
		rec.Reason, rec.Message, rec.Digest = one(rec.Reason), one(rec.Message), one(rec.Digest)
		if slices.Equal(rec.Claims, before) {
			rec.Claims = before
		}
		before = rec.Claims
	}
}

// fit returns a slice without room for more: decoding a list of 50 images item
// by item leaves room for 85, of 200 bytes each.
func fit[S ~[]E, E any](s S) S {
	if len(s) == cap(s) {
		return s
	}
	return append(make(S, 0, len(s)), s...)
}

// one returns the one copy of a string that all share while any of them lives.
func one[S ~string](s S) S { return unique.Make(s).Value() }

func trimNode(node *corev1.Node) {
	socket, told := node.Annotations[v1alpha2.AnnotationCRISocket]
	node.Annotations = nil
	if told {
		node.Annotations = map[string]string{v1alpha2.AnnotationCRISocket: socket}
	}
	status := node.Status
	node.Status = corev1.NodeStatus{
		Conditions: status.Conditions, Images: status.Images,
		NodeInfo: corev1.NodeSystemInfo{
			BootID:                  status.NodeInfo.BootID,
			KubeletVersion:          status.NodeInfo.KubeletVersion,
			ContainerRuntimeVersion: status.NodeInfo.ContainerRuntimeVersion,
		},
	}
	for i := range node.Status.Conditions {
		node.Status.Conditions[i].LastHeartbeatTime = metav1.Time{}
		node.Status.Conditions[i].Message = ""
	}
	node.Status.Images = fit(node.Status.Images)
	for i := range node.Status.Images {
		for j, name := range node.Status.Images[i].Names {
			node.Status.Images[i].Names[j] = one(name)
		}
	}
}

// trimPodSpec keeps the node, and the names and images of the containers.
func trimPodSpec(spec *corev1.PodSpec) corev1.PodSpec {
	kept := corev1.PodSpec{NodeName: spec.NodeName}
	for _, c := range spec.Containers {
		kept.Containers = append(kept.Containers, corev1.Container{Name: c.Name, Image: c.Image})
	}
	return kept
}
