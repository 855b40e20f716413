package release

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var owner = Owner{
	Release: "r", Namespace: "ns",
	KubeFledged: metav1.OwnerReference{APIVersion: "g/v", Kind: "KubeFledged", Name: "r", UID: "1"},
	OfNamespace: metav1.OwnerReference{APIVersion: "v1", Kind: "Namespace", Name: "ns", UID: "2"},
}

func scope(kind schema.GroupVersionKind) (bool, error) {
	if kind.Kind == "Unknown" {
		return false, errors.New("no such kind")
	}
	return kind.Kind != "ClusterRole", nil
}

func TestOwn(t *testing.T) {
	manifest := `
# Source: a
apiVersion: v1
kind: Service
metadata: {name: a, labels: {app: x, app.kubernetes.io/instance: cut}}
---
# only a comment
---
apiVersion: rbac/v1
kind: ClusterRole
metadata: {name: b, namespace: wrong}
---
apiVersion: v1
kind: Service
metadata: {name: c, namespace: other}
`
	got, err := Own(manifest, owner, scope)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := Parse(got)
	if err != nil || len(objects) != 3 {
		t.Fatalf("%d objects: %v", len(objects), err)
	}
	for i, want := range []struct{ namespace, owner, instance string }{{"ns", "KubeFledged", "cut"}, {"", "Namespace", "r"}, {"other", "Namespace", "r"}} {
		o := objects[i]
		got := []string{o.GetNamespace(), o.GetOwnerReferences()[0].Kind, o.GetLabels()["app.kubernetes.io/instance"]}
		if diff := cmp.Diff([]string{want.namespace, want.owner, want.instance}, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", o.GetName(), diff)
		}
		if o.GetOwnerReferences()[0].BlockOwnerDeletion != nil || !BelongsTo(o, "r", "ns") || BelongsTo(o, "r", "other") {
			t.Errorf("%s: %v", o.GetName(), o.Object)
		}
	}
	again, err := Own(got, owner, scope)
	if err != nil || again != got {
		t.Errorf("twice is not the same as once: %v", err)
	}
}

func TestOwnRefuses(t *testing.T) {
	for name, test := range map[string]struct{ manifest, words string }{
		"nothing":        {"# a comment\n", ErrNothingRendered.Error()},
		"no kind":        {"metadata: {name: a}\n", "without kind"},
		"no YAML":        {"a: [\n", "read the manifest"},
		"a kind unknown": {"apiVersion: v1\nkind: Unknown\nmetadata: {name: a}\n", "no such kind"},
	} {
		if _, err := Own(test.manifest, owner, scope); err == nil || !strings.Contains(err.Error(), test.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLeftovers(t *testing.T) {
	const a, b, c = "---\napiVersion: v1\nkind: T\nmetadata: {name: a}\n", "---\napiVersion: v1\nkind: T\nmetadata: {name: b}\n", "---\napiVersion: v1\nkind: T\nmetadata: {name: c, labels: {x: new}}\n"
	history := History{Records: []Record{
		record(1, StatusSuperseded, a+b), record(2, StatusFailed, a+strings.Replace(c, "x: new", "x: old", 1)), record(3, StatusSuperseded, a+c), record(4, StatusDeployed, a),
	}}
	current, err := Parse(a)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, left := range Leftovers(&history, current) {
		got = append(got, left.GetName()+left.GetLabels()["x"])
	}
	if diff := cmp.Diff([]string{"cnew", "b"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
