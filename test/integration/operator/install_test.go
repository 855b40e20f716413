package operator

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

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
