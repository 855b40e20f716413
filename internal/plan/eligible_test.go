package plan

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

func TestUnavailable(t *testing.T) {
	ready := []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	under := func(pressure corev1.NodeConditionType) []corev1.NodeCondition {
		return append([]corev1.NodeCondition{{Type: pressure, Status: corev1.ConditionTrue}}, ready...)
	}
	labeled := func(key, value string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Labels: map[string]string{key: value}}
	}
	tests := map[string]struct {
		node corev1.Node
		want string
	}{
		"ready":             {corev1.Node{Status: corev1.NodeStatus{Conditions: ready}}, ""},
		"no conditions yet": {corev1.Node{}, v1alpha2.WaitingNotReady},
		"ready unknown": {corev1.Node{Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{
			{Type: corev1.NodeReady, Status: corev1.ConditionUnknown}}}}, v1alpha2.WaitingNotReady},
		"cordoned": {corev1.Node{
			Spec:   corev1.NodeSpec{Unschedulable: true},
			Status: corev1.NodeStatus{Conditions: ready}}, v1alpha2.WaitingUnschedulable},
		"deleting":        {corev1.Node{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &metav1.Time{}}}, v1alpha2.WaitingDeleting},
		"disk pressure":   {corev1.Node{Status: corev1.NodeStatus{Conditions: under(corev1.NodeDiskPressure)}}, v1alpha2.WaitingDiskPressure},
		"memory pressure": {corev1.Node{Status: corev1.NodeStatus{Conditions: under(corev1.NodeMemoryPressure)}}, v1alpha2.WaitingMemoryPressure},
		"PID pressure":    {corev1.Node{Status: corev1.NodeStatus{Conditions: under(corev1.NodePIDPressure)}}, v1alpha2.WaitingPIDPressure},
		"no network":      {corev1.Node{Status: corev1.NodeStatus{Conditions: under(corev1.NodeNetworkUnavailable)}}, v1alpha2.WaitingNetwork},
		"windows":         {corev1.Node{ObjectMeta: labeled(corev1.LabelOSStable, "windows")}, v1alpha2.WaitingUnsupportedOS},
		"virtual kubelet": {corev1.Node{ObjectMeta: labeled("type", "virtual-kubelet")}, v1alpha2.WaitingVirtualNode},
		"fargate":         {corev1.Node{ObjectMeta: labeled("eks.amazonaws.com/compute-type", "fargate")}, v1alpha2.WaitingVirtualNode},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Unavailable(&tc.node); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestBlocked(t *testing.T) {
	taint := func(key string, effect corev1.TaintEffect) []corev1.Taint {
		return []corev1.Taint{{Key: key, Value: "v", Effect: effect}}
	}
	exists := func(key string) []corev1.Toleration {
		return []corev1.Toleration{{Key: key, Operator: corev1.TolerationOpExists}}
	}
	none := []corev1.Toleration{}
	tests := map[string]struct {
		taints      []corev1.Taint
		tolerations []corev1.Toleration
		suspend     bool
		unavailable string
		want        string
	}{
		"nothing in the way":             {},
		"suspended":                      {suspend: true, want: v1alpha2.WaitingSuspended},
		"node unavailable":               {unavailable: v1alpha2.WaitingNotReady, want: v1alpha2.WaitingNotReady},
		"default tolerates a dedication": {taints: taint("dedicated", corev1.TaintEffectNoSchedule)},
		"default tolerates NoExecute":    {taints: taint("dedicated", corev1.TaintEffectNoExecute)},
		"default minds disk pressure": {
			taints: taint(corev1.TaintNodeDiskPressure, corev1.TaintEffectNoSchedule), want: v1alpha2.WaitingDiskPressure},
		"default minds the autoscaler": {
			taints: taint("ToBeDeletedByClusterAutoscaler", corev1.TaintEffectNoSchedule), want: v1alpha2.WaitingDeleting},
		"default minds a soft closing taint": {
			taints: taint("DeletionCandidateOfClusterAutoscaler", corev1.TaintEffectPreferNoSchedule), want: v1alpha2.WaitingDeleting},
		"default minds Karpenter": {
			taints: taint("karpenter.sh/disrupted", corev1.TaintEffectNoSchedule), want: v1alpha2.WaitingDeleting},
		"own tolerations replace the default": {
			taints: taint("dedicated", corev1.TaintEffectNoSchedule), tolerations: none, want: v1alpha2.WaitingTaint},
		"own toleration of the key": {taints: taint("dedicated", corev1.TaintEffectNoSchedule), tolerations: exists("dedicated")},
		"own toleration of another": {
			taints: taint("dedicated", corev1.TaintEffectNoSchedule), tolerations: exists("other"), want: v1alpha2.WaitingTaint},
		"own toleration of everything": {
			taints: taint(corev1.TaintNodeDiskPressure, corev1.TaintEffectNoSchedule), tolerations: exists("")},
		"soft taint needs no toleration": {taints: taint("dedicated", corev1.TaintEffectPreferNoSchedule), tolerations: none},
		"equal value": {
			taints:      taint("dedicated", corev1.TaintEffectNoSchedule),
			tolerations: []corev1.Toleration{{Key: "dedicated", Value: "v"}}},
		"other value": {
			taints:      taint("dedicated", corev1.TaintEffectNoSchedule),
			tolerations: []corev1.Toleration{{Key: "dedicated", Value: "w"}}, want: v1alpha2.WaitingTaint},
		"other effect": {
			taints:      taint("dedicated", corev1.TaintEffectNoExecute),
			tolerations: []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}},
			want:        v1alpha2.WaitingTaint},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			n := node()
			n.Taints, n.Unavailable = tc.taints, tc.unavailable
			c := cache("c").with(func(c *Cache) { c.Suspend, c.Tolerations = tc.suspend, tc.tolerations })
			if got := Blocked(&n, c); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
