package kubelets

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// event is what a kubelet tells of a pod beside its status.
type event struct {
	uid             types.UID
	reason, message string
}

// timed is an event and when it is told.
type timed struct {
	at    time.Time
	event event
}

// The words are the kubelet's (KUBE/pkg/kubelet/images/image_manager.go). Events
// are told of pods with a slow image only, for which the controller reads them:
// those of all pods would be most of what the API server has to do.
func pulling(image string) event {
	return event{reason: "Pulling", message: fmt.Sprintf("Pulling image %q", image)}
}

func pulledIn(image string, took time.Duration) event {
	return event{reason: "Pulled", message: fmt.Sprintf(
		"Successfully pulled image %q in %s (%s including waiting). Image size: %d bytes.", image, took, took, Size(image))}
}

// schedule has events of a pod told at their times.
func (k *Kubelets) schedule(pod *corev1.Pod, events []timed) {
	for _, t := range events {
		item := workOf(pod)
		item.event = t.event
		item.event.uid = pod.UID
		k.queue.AddAfter(item, max(0, t.at.Sub(clock.Now())))
	}
}

// tell writes an event.
func (k *Kubelets) tell(ctx context.Context, item work) error {
	now := metav1.NewTime(clock.Now())
	_, err := k.client.CoreV1().Events(item.namespace).Create(ctx, &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: item.namespace, GenerateName: item.pod + "."},
		InvolvedObject: corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: item.namespace, Name: item.pod, UID: item.event.uid},
		Type:           corev1.EventTypeNormal, Reason: item.event.reason, Message: item.event.message,
		Source: corev1.EventSource{Component: "kubelet", Host: item.node}, FirstTimestamp: now, LastTimestamp: now, Count: 1,
	}, metav1.CreateOptions{})
	return err
}
