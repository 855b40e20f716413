package operator

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
)

func TestInstallAndUpgrade(t *testing.T) {
	kf := installed(t, v1alpha2.KubeFledgedSpec{})
	if kf.Status.Release == nil || kf.Status.Release.Revision != 1 || kf.Status.Release.Status != "deployed" || kf.Status.ChartVersion == "" || kf.Status.AppVersion == "" {
		t.Errorf("the release: %s", describe(kf))
	}
	if len(kf.Status.Components) != 2 || !kf.Status.Components[0].Available || !kf.Status.Components[1].Available {
		t.Errorf("components: %s", describe(kf))
	}
	controller := get(t, kf.Namespace, "kubefledged-controller", &appsv1.Deployment{})
	if image := controller.Spec.Template.Spec.Containers[0].Image; image != controllerImage {
		t.Errorf("the controller runs %s, want the operator's image", image)
	}

	edit(t, kf, func(s *v1alpha2.KubeFledgedSpec) {
		s.Args = &v1alpha2.ArgsSpec{ControllerJobsMaxSurge: ptr.To[int32](7)}
		s.Webhook = &v1alpha2.WebhookSpec{Enabled: ptr.To(false)}
	})
	awaitStatus(t, kf, "revision 2", func(kf *v1alpha2.KubeFledged) bool { return kf.Status.Release.Revision == 2 })
	awaitReady(t, kf)
	if err := admin.Get(t.Context(), client.ObjectKey{Namespace: kf.Namespace, Name: "kubefledged-webhook-server"}, &appsv1.Deployment{}); err == nil {
		t.Error("the webhook server is still there")
	}
}

// What is in no namespace goes with the namespace, and what is in it with the
// KubeFledged; neither is held by the other's deletion.
func TestOwners(t *testing.T) {
	kf := installed(t, v1alpha2.KubeFledgedSpec{})
	namespace := get(t, "", kf.Namespace, &corev1.Namespace{})
	ofNamespace := []metav1.OwnerReference{{APIVersion: "v1", Kind: "Namespace", Name: kf.Namespace, UID: namespace.UID}}
	ofObject := []metav1.OwnerReference{{APIVersion: "charts.helm.kubefledged.io/v1alpha2", Kind: "KubeFledged", Name: kf.Name, UID: kf.UID}}
	for _, object := range []client.Object{
		get(t, "", "kubefledged-controller", &rbacv1.ClusterRole{}),
		get(t, "", kf.Namespace+"-node", &corev1.Namespace{}),
	} {
		if diff := cmp.Diff(ofNamespace, object.GetOwnerReferences()); diff != "" {
			t.Errorf("%T %s (-want +got)\n%s", object, object.GetName(), diff)
		}
	}
	for _, object := range []client.Object{
		get(t, kf.Namespace, "kubefledged-controller", &appsv1.Deployment{}),
		get(t, kf.Namespace, "sh.helm.release.v1.kubefledged.v1", &corev1.Secret{}),
	} {
		if diff := cmp.Diff(ofObject, object.GetOwnerReferences()); diff != "" {
			t.Errorf("%T %s (-want +got)\n%s", object, object.GetName(), diff)
		}
	}
}

// Ready means that Deployments are available, not that Helm has returned.
func TestReadyIsWhatDeploymentsSay(t *testing.T) {
	namespace := namespaceFor(t)
	start(t, user, options(namespace))
	kf := add(t, namespace, v1alpha2.KubeFledgedSpec{})
	t.Cleanup(func() { remove(t, kf) })
	awaitStatus(t, kf, "installed and not ready", func(kf *v1alpha2.KubeFledged) bool {
		return kf.Status.Release != nil && kf.Status.Release.Status == "deployed" &&
			is(kf, v1alpha2.ConditionReady, false, v1alpha2.ReasonUnavailable) && is(kf, v1alpha2.ConditionProgressing, true, v1alpha2.ReasonRollingOut)
	})

	addFailingPod(t, namespace)
	awaitDegraded(t, kf, v1alpha2.ReasonPodsFailing, "Deployment kubefledged-controller", "ImagePullBackOff", "no such image")

	rollOut(t, namespace)
	awaitReady(t, kf)
	if err := admin.Delete(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "failing"}}, client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
}

func addFailingPod(t *testing.T, namespace string) {
	t.Helper()
	deployment := get(t, namespace, "kubefledged-controller", &appsv1.Deployment{})
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "failing", Labels: deployment.Spec.Template.Labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "controller", Image: "x"}}},
	}
	// The account's admission waits for the account's Namespace to have its own.
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}}
	if err := client.IgnoreAlreadyExists(admin.Create(t.Context(), account)); err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second, "a pod", func() (bool, string) {
		err := admin.Create(t.Context(), pod)
		if err != nil {
			return false, err.Error()
		}
		return true, ""
	})
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "controller", Image: "x",
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}},
	}}
	if err := admin.Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
}

// The metrics tell of what happened and of what is.
func TestMetrics(t *testing.T) {
	before := gathered(t)
	kf := installed(t, v1alpha2.KubeFledgedSpec{})
	takeDeployment(t, kf)
	of := `kubefledged="kubefledged" kubefledged_namespace="` + kf.Namespace + `"`
	for series, want := range map[string]float64{
		`kubefledged_operator_release_actions_total action="Install" result="succeeded"`:                                                    1,
		`kubefledged_operator_release_actions_total action="Repair" result="succeeded"`:                                                     1,
		`kubefledged_operator_drift_repairs_total kind="Deployment"`:                                                                        1,
		`kubefledged_operator_condition ` + of + ` type="Ready"`:                                                                            1,
		`kubefledged_operator_release_info app_version="` + kf.Status.AppVersion + `" chart_version="` + kf.Status.ChartVersion + `" ` + of: 1,
	} {
		within(t, 10*time.Second, series, func() (bool, string) {
			got := gathered(t)[series] - before[series]
			return got == want, fmt.Sprint(got)
		})
	}
	if got, there := gathered(t)[`kubefledged_operator_condition `+of+` type="Degraded"`]; !there || got != 0 {
		t.Errorf("Degraded: %v %v", got, there)
	}
	remove(t, kf)
	within(t, 10*time.Second, "its series go", func() (bool, string) {
		_, there := gathered(t)[`kubefledged_operator_condition `+of+` type="Ready"`]
		return !there, ""
	})
}

// gathered returns what the process serves, by name and labels.
func gathered(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			series := family.GetName()
			for _, label := range metric.GetLabel() {
				series += fmt.Sprintf(" %s=%q", label.GetName(), label.GetValue())
			}
			all[series] = metric.GetGauge().GetValue() + metric.GetCounter().GetValue()
		}
	}
	return all
}
