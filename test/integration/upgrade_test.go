package integration

import (
	"context"
	"os"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// lax is the schema of the original in shape: types only, no bounds, status in
// the object. It is installed under a group of its own beside ours.
const lax = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: imagecaches.upgrade.example.com}
spec:
  group: upgrade.example.com
  scope: Namespaced
  names: {kind: ImageCache, listKind: ImageCacheList, plural: imagecaches, singular: imagecache}
  versions:
  - name: v1alpha2
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        x-kubernetes-preserve-unknown-fields: true
`

// TestObjectsFromBeforeTheUpgrade: objects the original accepted and our schema
// would refuse must still take a status, so that their users are told, and
// lose their finalizers and annotations.
func TestObjectsFromBeforeTheUpgrade(t *testing.T) {
	ctx, in := testContext(t), namespace(t)
	mustKubectl(t, lax, "create", "-f", "-")
	t.Cleanup(func() { deleteCRD(t, "imagecaches.upgrade.example.com") })
	mustKubectl(t, "", "wait", "--for=condition=Established", "crd/imagecaches.upgrade.example.com")
	specs := map[string]string{
		"duplicates": one(`"a:1", "a:1"`),
		"upper-case": one(`"UPPER/case"`),
		"empty":      one(``),
		"long":       one(`"` + strings.Repeat("a", 600) + `"`),
		"lists":      "cacheSpec: [" + strings.Repeat(`{images: ["a:1"]},`, 65) + "]",
	}
	objects := map[string]*unstructured.Unstructured{}
	for name, spec := range specs {
		object := imageCache(t, in, spec)
		object.SetGroupVersionKind(schema.GroupVersionKind{Group: "upgrade.example.com", Version: "v1alpha2", Kind: "ImageCache"})
		object.SetName(name)
		object.Object["status"] = map[string]any{"status": "Succeeded", "reason": "ImageCacheCreate", "message": "m", "startTime": metav1.Now().UTC().Format("2006-01-02T15:04:05Z")}
		if err := cp.Client.Create(ctx, object); err != nil {
			t.Fatal(err)
		}
		objects[name] = object
	}
	mustKubectl(t, ourCRDAs(t, "upgrade.example.com"), "replace", "-f", "-")
	waitForBounds(t, in)
	for name, object := range objects {
		t.Run(name, func(t *testing.T) { writeStatusAndMetadata(t, object) })
	}
}

func writeStatusAndMetadata(t *testing.T, object *unstructured.Unstructured) {
	ctx := testContext(t)
	status := client.RawPatch("application/merge-patch+json", []byte(`{"status":{"status":"Failed","observedGeneration":1,"nodes":{"selected":0}}}`))
	if err := cp.Client.Status().Patch(ctx, object, status); err != nil {
		t.Errorf("status: %v", shorten(err))
	}
	metadata := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"a":"b"}}}`))
	if err := cp.Client.Patch(ctx, object, metadata); err != nil {
		t.Errorf("metadata: %v", shorten(err))
	}
}

// waitForBounds waits until the server has taken the new schema up.
func waitForBounds(t *testing.T, in string) {
	t.Helper()
	eventually(t, "the new schema is enforced", func() bool {
		object := imageCache(t, in, one(`"UPPER/case"`))
		object.SetGroupVersionKind(schema.GroupVersionKind{Group: "upgrade.example.com", Version: "v1alpha2", Kind: "ImageCache"})
		return apierrors.IsInvalid(cp.Client.Create(testContext(t), object, client.DryRunAll))
	})
}

// deleteCRD leaves later tests with one kind ImageCache, as in a real cluster.
func deleteCRD(t *testing.T, name string) {
	crd := &unstructured.Unstructured{}
	crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	crd.SetName(name)
	if err := cp.Client.Delete(context.Background(), crd); err != nil {
		t.Error(err)
	}
}

// ourCRDAs is our ImageCache CRD under another group.
func ourCRDAs(t *testing.T, group string) string {
	t.Helper()
	content, err := os.ReadFile("../../config/crd/bases/kubefledged.io_imagecaches.yaml")
	if err != nil {
		t.Fatal(err)
	}
	crd := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(content, crd); err != nil {
		t.Fatal(err)
	}
	crd.SetName("imagecaches." + group)
	for field, value := range map[string]any{"group": group, "names": map[string]any{
		"kind": "ImageCache", "listKind": "ImageCacheList", "plural": "imagecaches", "singular": "imagecache",
	}} {
		if err := unstructured.SetNestedField(crd.Object, value, "spec", field); err != nil {
			t.Fatal(err)
		}
	}
	content, err = yaml.Marshal(crd)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
