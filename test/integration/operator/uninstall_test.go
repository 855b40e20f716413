package operator

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
	cachev1alpha2 "github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/release"
)

// everythingThere lists every object of every kind that can be listed, but for
// Events, which go by themselves.
func everythingThere(t *testing.T) map[string]bool {
	t.Helper()
	client, err := discovery.NewDiscoveryClientForConfig(cp.Config)
	if err != nil {
		t.Fatal(err)
	}
	lists, err := client.ServerPreferredResources()
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			t.Fatal(err)
		}
		for _, resource := range list.APIResources {
			if slices.Contains(resource.Verbs, "list") && resource.Kind != "Event" {
				addAll(t, version.WithKind(resource.Kind), there)
			}
		}
	}
	return there
}

func addAll(t *testing.T, kind schema.GroupVersionKind, there map[string]bool) {
	t.Helper()
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	if err := admin.List(context.Background(), list); err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	for i := range list.Items {
		there[kind.Group+" "+release.KeyOf(&list.Items[i]).String()] = true
	}
}

// checkNothingNew compares what is there with what was there before.
func checkNothingNew(t *testing.T, before map[string]bool) {
	t.Helper()
	finishNamespaces(t)
	for key := range everythingThere(t) {
		if !before[key] && !strings.Contains(key, "IPAddress") {
			t.Errorf("%s is left", key)
		}
	}
}

// checkWhole checks that what is recorded is there, and nothing else of the release.
func checkWhole(t *testing.T, kf *v1alpha2.KubeFledged) {
	t.Helper()
	wanted := map[release.Key]bool{}
	for _, want := range deployedObjects(t, kf) {
		wanted[release.KeyOf(want)] = true
		now, err := live(t, want)
		if err != nil {
			t.Error(err)
			continue
		}
		if found := release.Differences(want, now); len(found) > 0 {
			t.Errorf("%s: %v", release.KeyOf(want), found)
		}
	}
	for _, kind := range []string{"apps/v1 Deployment", "v1 Service", "v1 ServiceAccount", "scheduling.k8s.io/v1 PriorityClass",
		"rbac.authorization.k8s.io/v1 ClusterRole", "admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration"} {
		version, word, _ := strings.Cut(kind, " ")
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(schema.FromAPIVersionAndKind(version, word+"List"))
		if err := admin.List(t.Context(), list, client.MatchingLabels{v1alpha2.LabelInstalledBy: v1alpha2.LabelInstalledByValue}); err != nil {
			t.Fatal(err)
		}
		for i := range list.Items {
			if o := &list.Items[i]; release.BelongsTo(o, kf.Name, kf.Namespace) && !wanted[release.KeyOf(o)] {
				t.Errorf("%s is in no record", release.KeyOf(o))
			}
		}
	}
}

// use makes what an installation that is in use has besides the release.
func use(t *testing.T, namespace string) *cachev1alpha2.ImageCache {
	t.Helper()
	cache := &cachev1alpha2.ImageCache{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", GenerateName: "used-", Finalizers: []string{cachev1alpha2.FinalizerPurge, "example.com/theirs"}},
		Spec: cachev1alpha2.ImageCacheSpec{DeletionPolicy: cachev1alpha2.DeletionPolicyPurge,
			CacheSpec: []cachev1alpha2.CacheSpecImages{{Images: []cachev1alpha2.Image{"quay.io/x/y:1"}}}},
	}
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", GenerateName: "used-", Labels: map[string]string{"app": "kubefledged", "controller": "fledged"}},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "a", Image: "a"}}}}},
	}
	for _, object := range []client.Object{
		cache, job,
		&cachev1alpha2.NodeCache{ObjectMeta: metav1.ObjectMeta{Name: "node-of-" + namespace}},
		&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "kubefledged-controller.kubefledged.io"}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "kubefledged-webhook-server-cert"}},
	} {
		if err := admin.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	return cache
}

// discard deletes an ImageCache, whoever holds it.
func discard(t *testing.T, cache *cachev1alpha2.ImageCache) {
	t.Helper()
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))
	if err := admin.Patch(context.Background(), cache, patch); err != nil {
		t.Fatal(err)
	}
	if err := admin.Delete(context.Background(), cache); err != nil {
		t.Fatal(err)
	}
}

func TestUninstallLeavesNothing(t *testing.T) {
	namespace := namespaceFor(t)
	rollOut(t, namespace)
	before := everythingThere(t)
	cache := use(t, namespace) // later nobody answers for the webhook
	start(t, user, options(namespace))
	kf := add(t, namespace, everything())
	awaitReady(t, kf)
	edit(t, kf, func(s *v1alpha2.KubeFledgedSpec) { turn(s, 2) })
	awaitReady(t, kf)

	remove(t, kf)

	cache = get(t, cache.Namespace, cache.Name, cache)
	if !slices.Equal(cache.Finalizers, []string{"example.com/theirs"}) {
		t.Errorf("finalizers of the ImageCache: %v", cache.Finalizers)
	}
	within(t, 10*time.Second, "an Event names the images that stay", func() (bool, string) {
		var events eventsv1.EventList
		if err := admin.List(t.Context(), &events, client.InNamespace(namespace)); err != nil {
			return false, err.Error()
		}
		return slices.ContainsFunc(events.Items, func(e eventsv1.Event) bool {
			return e.Reason == v1alpha2.EventImagesStay && strings.Contains(e.Note, cache.Name) && strings.Contains(e.Note, "quay.io/x/y:1")
		}), ""
	})
	discard(t, cache)
	checkNothingNew(t, before)
}

// Who deletes the namespace first gets rid of everything, also when the
// operator's rights in it are gone already.
func TestNamespaceIsDeletedFirst(t *testing.T) {
	cache := use(t, "default")
	kf := installed(t, v1alpha2.KubeFledgedSpec{})
	namespace := get(t, "", kf.Namespace, &corev1.Namespace{})
	if err := admin.Delete(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	// The namespace controller deletes what is in it, in no order to rely on.
	if err := admin.DeleteAllOf(t.Context(), &rbacv1.RoleBinding{}, client.InNamespace(kf.Namespace)); err != nil {
		t.Fatal(err)
	}
	if err := admin.Delete(t.Context(), kf); err != nil {
		t.Fatal(err)
	}
	within(t, 20*time.Second, "the KubeFledged goes", func() (bool, string) {
		err := admin.Get(t.Context(), client.ObjectKeyFromObject(kf), kf)
		return client.IgnoreNotFound(err) == nil && err != nil, describe(kf)
	})
	for _, object := range []client.Object{&rbacv1.ClusterRole{}, &rbacv1.ClusterRoleBinding{}} {
		object.SetName("kubefledged-controller")
		if err := admin.Get(t.Context(), client.ObjectKeyFromObject(object), object); err == nil {
			t.Errorf("%T is left", object)
		}
	}
	if get(t, cache.Namespace, cache.Name, cache); slices.Contains(cache.Finalizers, cachev1alpha2.FinalizerPurge) {
		t.Error("the ImageCache is held")
	}
	discard(t, cache)
}
