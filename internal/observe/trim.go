package observe

import (
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
	}
	return obj, nil
}

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
}

// trimPodSpec keeps the node, and the names and images of the containers.
func trimPodSpec(spec *corev1.PodSpec) corev1.PodSpec {
	kept := corev1.PodSpec{NodeName: spec.NodeName}
	for _, c := range spec.Containers {
		kept.Containers = append(kept.Containers, corev1.Container{Name: c.Name, Image: c.Image})
	}
	return kept
}
