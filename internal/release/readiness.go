package release

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
)

// longestMessage is that of status.components[].message.
const longestMessage = 1024

// Component is what is known of one Deployment.
type Component struct {
	v1alpha2.ComponentStatus
	// Rolling tells whether the Deployment has something left to do.
	Rolling bool
	// Failing is the reason of Degraded, empty when nothing is wrong.
	Failing string
}

// Absentee is a Deployment that is not in the cluster.
func Absentee(name string) Component {
	return Component{
		ComponentStatus: v1alpha2.ComponentStatus{Name: name, Message: "the Deployment does not exist"},
		Rolling:         true,
	}
}

// ComponentOf says how a Deployment is, and why, from its status and its pods.
func ComponentOf(d *appsv1.Deployment, pods []corev1.Pod) Component {
	s := &d.Status
	want := ptr.Deref(d.Spec.Replicas, 1)
	current := s.ObservedGeneration >= d.Generation
	c := Component{ComponentStatus: v1alpha2.ComponentStatus{
		Name: d.Name, Replicas: want, ReadyReplicas: s.ReadyReplicas, UpdatedReplicas: s.UpdatedReplicas,
		Available: current && holds(d, appsv1.DeploymentAvailable) && s.AvailableReplicas > 0 || want == 0,
	}}
	c.Rolling = !current || s.UpdatedReplicas < want || s.Replicas > s.UpdatedReplicas || s.AvailableReplicas < want
	if c.Rolling {
		c.Failing, c.Message = failureOf(d, pods)
	}
	if c.Message == "" && !c.Available {
		c.Message = fmt.Sprintf("%d of %d pods are available", s.AvailableReplicas, want)
	}
	c.Message = shorten(c.Message)
	return c
}

// failureOf prefers the words of a pod: the Deployment only counts them.
func failureOf(d *appsv1.Deployment, pods []corev1.Pod) (reason, message string) {
	for i := range pods {
		if words := podFailure(&pods[i]); words != "" {
			return v1alpha2.ReasonPodsFailing, words
		}
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			return v1alpha2.ReasonDeploymentFailing, c.Message
		}
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse {
			return v1alpha2.ReasonDeploymentFailing, c.Message
		}
	}
	return "", ""
}

// starting are the reasons for which containers wait while all is well.
var starting = map[string]bool{"": true, "ContainerCreating": true, "PodInitializing": true}

// podFailure returns what keeps a pod from running, in the words of the
// scheduler or the kubelet.
func podFailure(pod *corev1.Pod) string {
	if pod.DeletionTimestamp != nil {
		return ""
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return fmt.Sprintf("pod %s cannot be scheduled: %s", pod.Name, c.Message)
		}
	}
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, c := range list {
			if waiting := c.State.Waiting; waiting != nil && !starting[waiting.Reason] {
				return fmt.Sprintf("pod %s, container %s: %s%s", pod.Name, c.Name, waiting.Reason, words(waiting.Message, c.LastTerminationState.Terminated))
			}
		}
	}
	return ""
}

// words returns the kubelet's message, and the last words of the program.
func words(message string, last *corev1.ContainerStateTerminated) string {
	if message != "" {
		message = ": " + message
	}
	if last != nil && last.Message != "" {
		message += ": " + last.Message
	}
	return message
}

func holds(d *appsv1.Deployment, kind appsv1.DeploymentConditionType) bool {
	for _, c := range d.Status.Conditions {
		if c.Type == kind {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func shorten(message string) string {
	if len(message) <= longestMessage {
		return message
	}
	return message[:longestMessage-3] + "..."
}
