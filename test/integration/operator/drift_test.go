package operator

import (
	"context"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/release"
)

// repairLimit is what the operator promises.
const repairLimit = 10 * time.Second

// everything asks the chart for all that it can make on a plain cluster.
func everything() v1alpha2.KubeFledgedSpec {
	return v1alpha2.KubeFledgedSpec{
		ControllerReplicaCount: ptr.To[int32](2),
		NetworkPolicy:          &v1alpha2.NetworkPolicySpec{Enabled: ptr.To(true)},
		PriorityClass:          &v1alpha2.PriorityClassSpec{Create: ptr.To(true)},
		Metrics:                &v1alpha2.MetricsSpec{Dashboard: &v1alpha2.DashboardSpec{Enabled: ptr.To(true)}},
	}
}

// deployedObjects returns the objects of the newest revision, as Helm recorded them.
func deployedObjects(t *testing.T, kf *v1alpha2.KubeFledged) []*release.Object {
	t.Helper()
	records := history(t, kf)
	objects, err := release.Parse(records.Deployed().Manifest)
	if err != nil || len(objects) == 0 {
		t.Fatalf("%d objects: %v", len(objects), err)
	}
	return objects
}

func live(t *testing.T, want *release.Object) (*release.Object, error) {
	t.Helper()
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(want.GroupVersionKind())
	err := admin.Get(context.Background(), client.ObjectKeyFromObject(want), object)
	return object, err
}

// Each object that the chart makes is deleted once and stripped of its labels
// once, by which the operator finds it.
func TestEveryObjectIsRestored(t *testing.T) {
	kf := installed(t, everything())
	for _, want := range deployedObjects(t, kf) {
		t.Run(want.GetKind()+"_"+want.GetName(), func(t *testing.T) {
			before, err := live(t, want)
			if err != nil {
				t.Fatal(err)
			}
			if err := admin.Delete(t.Context(), before.DeepCopy()); err != nil {
				t.Fatal(err)
			}
			finishNamespaces(t)
			awaitRestored(t, want, func(now *release.Object) bool { return now.GetUID() != before.GetUID() })

			stripped, err := live(t, want)
			if err != nil {
				t.Fatal(err)
			}
			patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":null,"annotations":null,"ownerReferences":null}}`))
			if err := admin.Patch(t.Context(), stripped, patch); err != nil {
				t.Fatal(err)
			}
			awaitRestored(t, want, func(*release.Object) bool { return true })
		})
	}
	awaitReady(t, kf)
	if kf.Status.Release.Revision != 1 {
		t.Errorf("repairs made %d revisions", kf.Status.Release.Revision)
	}
}

func awaitRestored(t *testing.T, want *release.Object, ok func(*release.Object) bool) {
	t.Helper()
	within(t, repairLimit, release.KeyOf(want).String()+" is restored", func() (bool, string) {
		now, err := live(t, want)
		if err != nil {
			return false, err.Error()
		}
		if found := release.Differences(want, now); len(found) > 0 {
			return false, found[0]
		}
		return ok(now), "not new"
	})
}

// What people edit in the heat of the moment.
func TestEditsAreTakenBack(t *testing.T) {
	kf := installed(t, everything())
	edits := map[string]struct {
		object client.Object
		patch  string
		kind   types.PatchType
	}{
		"image":  {&appsv1.Deployment{}, `{"spec":{"template":{"spec":{"containers":[{"name":"controller","image":"evil.test/x:1"}]}}}}`, types.StrategicMergePatchType},
		"scale":  {&appsv1.Deployment{}, `{"spec":{"replicas":0}}`, types.MergePatchType},
		"flag":   {&appsv1.Deployment{}, `[{"op":"add","path":"/spec/template/spec/containers/0/args/-","value":"--removal=false"}]`, types.JSONPatchType},
		"right":  {&rbacv1.ClusterRole{}, `[{"op":"add","path":"/rules/-","value":{"apiGroups":[""],"resources":["secrets"],"verbs":["get"]}}]`, types.JSONPatchType},
		"level":  {&corev1.Namespace{}, `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`, types.MergePatchType},
		"port":   {&corev1.Service{}, `[{"op":"replace","path":"/spec/ports/0/port","value":9999}]`, types.JSONPatchType},
		"policy": {&admissionregistrationv1.ValidatingWebhookConfiguration{}, `[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]`, types.JSONPatchType},
	}
	names := map[string]string{"level": kf.Namespace + "-node", "policy": "kubefledged-webhook-server", "port": "kubefledged-webhook-server"}
	for what, e := range edits {
		t.Run(what, func(t *testing.T) {
			object := e.object
			object.SetName("kubefledged-controller")
			if names[what] != "" {
				object.SetName(names[what])
			}
			switch object.(type) {
			case *appsv1.Deployment, *corev1.Service:
				object.SetNamespace(kf.Namespace)
			}
			if err := admin.Patch(t.Context(), object, client.RawPatch(e.kind, []byte(e.patch))); err != nil {
				t.Fatal(err)
			}
			for _, want := range deployedObjects(t, kf) {
				awaitRestored(t, want, func(*release.Object) bool { return true })
			}
		})
	}
}

// What the chart does not say anything about is somebody else's.
func TestWhatOthersAddStays(t *testing.T) {
	kf := installed(t, v1alpha2.KubeFledgedSpec{})
	configuration := get(t, "", "kubefledged-webhook-server", &admissionregistrationv1.ValidatingWebhookConfiguration{})
	configuration.Webhooks[0].ClientConfig.CABundle = []byte(testCA)
	if err := admin.Update(t.Context(), configuration); err != nil {
		t.Fatal(err)
	}
	restart := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}}}`))
	controller := &appsv1.Deployment{}
	controller.Namespace, controller.Name = kf.Namespace, "kubefledged-controller"
	if err := admin.Patch(t.Context(), controller, restart); err != nil {
		t.Fatal(err)
	}

	// Also not when the rest is restored, and when the release is upgraded.
	if err := admin.Delete(t.Context(), get(t, kf.Namespace, "kubefledged-webhook-server", &appsv1.Deployment{})); err != nil {
		t.Fatal(err)
	}
	within(t, repairLimit, "the Deployment is back", func() (bool, string) {
		err := admin.Get(t.Context(), client.ObjectKey{Namespace: kf.Namespace, Name: "kubefledged-webhook-server"}, &appsv1.Deployment{})
		return err == nil, ""
	})
	edit(t, kf, func(s *v1alpha2.KubeFledgedSpec) { s.ControllerReplicaCount = ptr.To[int32](3) })
	awaitStatus(t, kf, "revision 2", func(kf *v1alpha2.KubeFledged) bool { return kf.Status.Release.Revision == 2 })
	awaitReady(t, kf)
	configuration = get(t, "", configuration.Name, configuration)
	if string(configuration.Webhooks[0].ClientConfig.CABundle) != testCA {
		t.Error("the CA bundle is gone")
	}
	if get(t, kf.Namespace, controller.Name, controller); controller.Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"] != "now" {
		t.Error("the restart's annotation is gone")
	}
}

// Somebody who changes an object whenever it is restored is told of, not fought.
func TestSomebodyElseInsists(t *testing.T) {
	kf := installed(t, v1alpha2.KubeFledgedSpec{})
	insist(t, kf.Namespace)
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"app":"theirs"}}}`))
	service := &corev1.Service{}
	service.Namespace, service.Name = kf.Namespace, "kubefledged-webhook-server"
	if err := admin.Patch(t.Context(), service, patch); err != nil {
		t.Fatal(err)
	}
	awaitDegraded(t, kf, v1alpha2.ReasonRepairFailed, "Service", "kubefledged-webhook-server")
	quiet(t, kf, service)
}

// quiet checks that an object is not written for a while.
func quiet(t *testing.T, kf *v1alpha2.KubeFledged, object client.Object) {
	t.Helper()
	time.Sleep(time.Second) // what was under way lands
	get(t, object.GetNamespace(), object.GetName(), object)
	version := object.GetResourceVersion()
	time.Sleep(3 * time.Second)
	if get(t, object.GetNamespace(), object.GetName(), object); object.GetResourceVersion() != version {
		t.Errorf("it is written again and again: %s", describe(kf))
	}
}
