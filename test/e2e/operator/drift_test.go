//go:build e2e

package operator

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

const (
	// driftLimit is how long an object may be wrong or missing. It takes a second
	// or two; a busy machine takes more, and nothing but a watch is as fast.
	driftLimit = 30 * time.Second
	// goneLimit is for the API server to end a deletion: of a namespace, when it
	// has looked for what is in it.
	goneLimit = 2 * time.Minute
)

// edits are what somebody does to objects of the release, as JSON patches.
var edits = []struct{ kind, namespace, name, patch string }{
	{"Service", lab.Namespace, webhookName, `[{"op":"replace","path":"/spec/selector","value":{"app":"nothing"}}]`},
	{"Service", lab.Namespace, webhookName, `[{"op":"replace","path":"/spec/ports/0/targetPort","value":9999}]`},
	{"Service", lab.Namespace, webhookName, `[{"op":"replace","path":"/spec/ports/0/port","value":9999}]`},
	{"Service", lab.Namespace, webhookName, `[{"op":"remove","path":"/spec/ports/1"}]`},
	{"Deployment", lab.Namespace, lab.ControllerName, `[{"op":"replace","path":"/spec/replicas","value":0}]`},
	{"Deployment", lab.Namespace, lab.ControllerName, `[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"example.com/other:1"}]`},
	{"Deployment", lab.Namespace, webhookName, `[{"op":"add","path":"/spec/template/spec/containers/0/args/-","value":"--self-signed=false"}]`},
	{"ClusterRole", "", lab.ControllerName, `[{"op":"add","path":"/rules/-","value":{"apiGroups":[""],"resources":["secrets"],"verbs":["get"]}}]`},
	{"ValidatingWebhookConfiguration", "", webhookName, `[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]`},
	{"ValidatingWebhookConfiguration", "", webhookName, `[{"op":"remove","path":"/webhooks/0"}]`},
	{"Namespace", "", lab.Namespace + "-node", `[{"op":"replace","path":"/metadata/labels/pod-security.kubernetes.io~1enforce","value":"restricted"}]`},
}

// What the release made is restored within seconds when somebody deletes or
// edits it: each object is deleted once and loses its labels once, by which the
// operator finds it, and is edited as people do.
func TestDrift(t *testing.T) {
	w := newWorld(t, busy, "every object of the release deleted, then stripped of its labels; "+fmt.Sprint(len(edits))+" edits",
		"each is as before seconds after it was gone or edited, by a repair and not by a release")
	w.make("deploy-using-operator")
	w.ready()
	objects := w.released()
	records := w.statuses()
	began := time.Now()
	var deleted, stripped, edited worst
	for _, object := range objects {
		deleted.of(name(object), w.drifts(object, func() {
			w.check(w.cluster.API.Delete(w.ctx, object.DeepCopy()))
		}, true))
		stripped.of(name(object), w.drifts(object, func() {
			w.patched(object, types.MergePatchType, `{"metadata":{"labels":null,"annotations":null}}`)
		}, false))
	}
	for _, e := range edits {
		object := find(objects, e.kind, e.namespace, e.name)
		if object == nil {
			t.Fatalf("the release has no %s %s", e.kind, e.name)
		}
		edited.of(name(object)+" "+e.patch, w.drifts(object, func() { w.patched(object, types.JSONPatchType, e.patch) }, false))
	}
	w.saw("%d objects deleted: the slowest is back %s after it was gone", len(objects), deleted)
	w.saw("%d objects stripped of their labels: the slowest is as before after %s", len(objects), stripped)
	w.saw("%d edits: the slowest is taken back after %s", len(edits), edited)
	w.saw("all of that in %.0f s, then Ready after %.1f s; records of the release %v", time.Since(began).Seconds(), w.ready().Seconds(), w.statuses())
	if now := w.statuses(); !cmp.Equal(records, now) {
		t.Errorf("records of the release were %v", records)
	}
	w.refuses()
}

// worst is the largest of several durations, and what took so long.
type worst struct {
	took time.Duration
	what string
}

func (o *worst) of(what string, took time.Duration) {
	if took > o.took {
		*o = worst{took, what}
	}
}

func (o worst) String() string { return fmt.Sprintf("%.1f s (%s)", o.took.Seconds(), o.what) }

func name(object *unstructured.Unstructured) string {
	return object.GetKind() + " " + object.GetName()
}

func find(objects []*unstructured.Unstructured, kind, namespace, name string) *unstructured.Unstructured {
	for _, object := range objects {
		if object.GetKind() == kind && object.GetNamespace() == namespace && object.GetName() == name {
			return object
		}
	}
	return nil
}

// drifts does something to an object and waits until it is as it was: another
// one, if it is to be, for which it returns the time since the former was gone.
func (w *world) drifts(object *unstructured.Unstructured, do func(), anew bool) time.Duration {
	w.Helper()
	before, err := w.live(w.ctx, object)
	w.check(err)
	do()
	if anew {
		w.poll(name(object)+" is gone", goneLimit, func(ctx context.Context) (bool, string) {
			now, err := w.live(ctx, object)
			return apierrors.IsNotFound(err) || err == nil && now.GetUID() != before.GetUID(), "the same object"
		})
	}
	return w.poll(name(object)+" is as before", driftLimit, func(ctx context.Context) (bool, string) {
		now, err := w.live(ctx, object)
		if err != nil {
			return false, err.Error()
		}
		return cmp.Equal(essence(before), essence(now)), cmp.Diff(essence(before), essence(now))
	})
}

func (w *world) live(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	now := &unstructured.Unstructured{}
	now.SetGroupVersionKind(object.GroupVersionKind())
	return now, w.cluster.API.Get(ctx, client.ObjectKeyFromObject(object), now)
}

func (w *world) patched(object *unstructured.Unstructured, kind types.PatchType, patch string) {
	w.Helper()
	w.check(w.cluster.API.Patch(w.ctx, object.DeepCopy(), client.RawPatch(kind, []byte(patch))))
}

// essence is what of an object is the release's, and not the API server's or of
// those who work with the object.
func essence(object *unstructured.Unstructured) map[string]any {
	content := maps.Clone(object.DeepCopy().Object)
	delete(content, "status")
	content["metadata"] = map[string]any{
		"labels": object.GetLabels(), "release": object.GetAnnotations()["meta.helm.sh/release-name"], "owners": len(object.GetOwnerReferences()),
	}
	for _, path := range [][]string{
		{"spec", "clusterIP"}, {"spec", "clusterIPs"}, {"secrets"},
		{"spec", "template", "metadata", "annotations"}, // of `kubectl rollout restart`
	} {
		unstructured.RemoveNestedField(content, path...)
	}
	hooks, _, _ := unstructured.NestedSlice(content, "webhooks")
	for _, hook := range hooks {
		unstructured.RemoveNestedField(hook.(map[string]any), "clientConfig", "caBundle") // the server's
	}
	if hooks != nil {
		content["webhooks"] = hooks
	}
	return content
}
