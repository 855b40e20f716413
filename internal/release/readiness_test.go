package release

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
)

func condition(kind appsv1.DeploymentConditionType, status corev1.ConditionStatus, message string) appsv1.DeploymentCondition {
	return appsv1.DeploymentCondition{Type: kind, Status: status, Message: message}
}

func TestComponentOf(t *testing.T) {
	available := condition(appsv1.DeploymentAvailable, corev1.ConditionTrue, "")
	waiting := func(reason, message string) []corev1.Pod {
		return []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			Name: "c", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}},
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Message: "last words"}}}}}}}
	}
	for name, test := range map[string]struct {
		replicas         *int32
		status           appsv1.DeploymentStatus
		pods             []corev1.Pod
		available, rolls bool
		failing, message string
	}{
		"not looked at yet": {status: appsv1.DeploymentStatus{}, rolls: true, message: "0 of 1 pods are available"},
		"available":         {status: appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1, Conditions: []appsv1.DeploymentCondition{available}}, available: true},
		"of an old version": {status: appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1, Conditions: []appsv1.DeploymentCondition{available}}, rolls: true, message: "1 of 1 pods are available"},
		"rolling":           {status: appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 1, AvailableReplicas: 1, Conditions: []appsv1.DeploymentCondition{available}}, available: true, rolls: true},
		"none wanted":       {replicas: ptr.To[int32](0), status: appsv1.DeploymentStatus{ObservedGeneration: 2}, available: true},
		"cannot pull":       {status: appsv1.DeploymentStatus{ObservedGeneration: 2}, pods: waiting("ErrImagePull", "no such image"), rolls: true, failing: v1alpha2.ReasonPodsFailing, message: "pod p, container c: ErrImagePull: no such image: last words"},
		"starting":          {status: appsv1.DeploymentStatus{ObservedGeneration: 2}, pods: waiting("ContainerCreating", ""), rolls: true, message: "0 of 1 pods are available"},
		"unschedulable": {status: appsv1.DeploymentStatus{ObservedGeneration: 2}, rolls: true, failing: v1alpha2.ReasonPodsFailing, message: "pod p cannot be scheduled: no room",
			pods: []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "no room"}}}}}},
		"refused pods": {status: appsv1.DeploymentStatus{ObservedGeneration: 2, Conditions: []appsv1.DeploymentCondition{condition(appsv1.DeploymentReplicaFailure, corev1.ConditionTrue, "violates PodSecurity")}},
			rolls: true, failing: v1alpha2.ReasonDeploymentFailing, message: "violates PodSecurity"},
		"too slow": {status: appsv1.DeploymentStatus{ObservedGeneration: 2, Conditions: []appsv1.DeploymentCondition{condition(appsv1.DeploymentProgressing, corev1.ConditionFalse, "timed out")}},
			rolls: true, failing: v1alpha2.ReasonDeploymentFailing, message: "timed out"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "d", Generation: 2}, Spec: appsv1.DeploymentSpec{Replicas: test.replicas}, Status: test.status}
			got := ComponentOf(d, test.pods)
			if got.Available != test.available || got.Rolling != test.rolls || got.Failing != test.failing || got.Message != test.message {
				t.Errorf("got %+v", got)
			}
		})
	}
	if got := shorten(strings.Repeat("x", 5000)); len(got) != longestMessage {
		t.Errorf("a message of %d bytes", len(got))
	}
}
