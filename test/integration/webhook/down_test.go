package webhook

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// TestWithoutAServer does everything that must not depend on the webhook while
// nobody answers, and with an object that the webhook would refuse.
func TestWithoutAServer(t *testing.T) {
	namespace := newNamespace(t)
	ic := twice(namespace, "old")
	if err := cp.Client.Create(t.Context(), ic); err != nil {
		t.Fatal(err)
	}
	listener, address := listen(t)
	install(t, address)
	if err := listener.Close(); err != nil { // nobody answers at this address any more
		t.Fatal(err)
	}

	eventually(t, "a new ImageCache is refused while nobody judges it", func() error {
		return ifNot(apierrors.IsInternalError, cp.Client.Create(t.Context(), listing(namespace, "new", "a"), client.DryRunAll))
	})
	if output, err := kubectl(t, "", "patch", "imagecache", "old", "-n", namespace, "--type=merge", "-p", `{"spec":{"suspend":true}}`); err == nil ||
		!strings.Contains(output, "failed calling webhook") {
		t.Errorf("an edit of the spec is not judged: %v: %s", err, output)
	}
	for _, args := range [][]string{
		{"annotate", "imagecaches", "old", v1alpha2.AnnotationPurge + "="},
		{"annotate", "imagecaches", "old", v1alpha2.AnnotationRefresh + "="},
		{"annotate", "imagecaches", "old", v1alpha2.AnnotationPurge + "-"},
		{"label", "imagecaches", "old", "team=a"},
		{"patch", "imagecache", "old", "--type=merge", "-p", `{"metadata":{"finalizers":["` + v1alpha2.FinalizerPurge + `"]}}`},
		{"patch", "imagecache", "old", "--subresource=status", "--type=merge", "-p", `{"status":{"status":"Succeeded"}}`},
		{"delete", "imagecache", "old", "--wait=false"},
		{"annotate", "imagecaches", "old", "while=going"},
		// Even with another spec: what goes does not have to be right.
		{"patch", "imagecache", "old", "--type=merge", "-p", `{"spec":{"suspend":true}}`},
		{"patch", "imagecache", "old", "--type=merge", "-p", `{"metadata":{"finalizers":null}}`},
	} {
		if output, err := kubectl(t, "", append(args, "-n", namespace)...); err != nil {
			t.Errorf("kubectl %q: %v: %s", args, err, output)
		}
	}
	if err := cp.Client.Get(t.Context(), client.ObjectKeyFromObject(ic), ic); !apierrors.IsNotFound(err) {
		t.Errorf("the ImageCache has not gone: %v", err)
	}
}

// TestTheLargestWithoutAServer: what matchConditions may cost is bounded, and
// specs are compared in one. The largest ImageCache must stay below.
func TestTheLargestWithoutAServer(t *testing.T) {
	namespace := newNamespace(t)
	ic := listing(namespace, "large")
	ic.Spec.CacheSpec = nil
	for i := range 40 {
		var list v1alpha2.CacheSpecImages
		for j := range 500 {
			list.Images = append(list.Images, v1alpha2.Image(fmt.Sprintf("registry.example.com/department/team-%d/application-%d:v1.0.0", i, j)))
		}
		ic.Spec.CacheSpec = append(ic.Spec.CacheSpec, list)
	}
	if err := cp.Client.Create(t.Context(), ic); err != nil {
		t.Fatal(err)
	}
	listener, address := listen(t)
	install(t, address)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a new ImageCache is refused while nobody judges it", func() error {
		return ifNot(apierrors.IsInternalError, cp.Client.Create(t.Context(), listing(namespace, "new", "a"), client.DryRunAll))
	})
	ic.Annotations = map[string]string{v1alpha2.AnnotationPurge: ""}
	if err := cp.Client.Update(t.Context(), ic); err != nil {
		t.Errorf("a purge: %v", err)
	}
	if err := cp.Client.Delete(t.Context(), ic); err != nil {
		t.Errorf("a deletion: %v", err)
	}
}

// TestOnlySpecsAreAsked counts what arrives at a server that answers.
func TestOnlySpecsAreAsked(t *testing.T) {
	namespace := serving(t)
	ic := listing(namespace, "cache", "a")
	asked := func(want float64, what string, do func() error) {
		t.Helper()
		before := requests(t)
		if err := do(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if got := requests(t) - before; got != want {
			t.Errorf("%s: asked %v times, want %v", what, got, want)
		}
	}
	asked(1, "create", func() error { return cp.Client.Create(t.Context(), ic) })
	asked(0, "annotate", func() error {
		ic.Annotations = map[string]string{v1alpha2.AnnotationPurge: ""}
		return cp.Client.Update(t.Context(), ic)
	})
	asked(0, "finalizer", func() error {
		ic.Finalizers = []string{v1alpha2.FinalizerPurge}
		return cp.Client.Update(t.Context(), ic)
	})
	asked(0, "status", func() error {
		ic.Status.Status = v1alpha2.ImageCacheActionStatusSucceeded
		return cp.Client.Status().Update(t.Context(), ic)
	})
	asked(0, "nothing", func() error { return cp.Client.Update(t.Context(), ic) })
	asked(1, "edit", func() error {
		ic.Spec.Suspend = true
		return cp.Client.Update(t.Context(), ic)
	})
	asked(0, "delete", func() error { return cp.Client.Delete(t.Context(), ic) })
	asked(0, "release", func() error {
		if err := cp.Client.Get(t.Context(), client.ObjectKeyFromObject(ic), ic); err != nil {
			return err
		}
		ic.Finalizers = nil
		return cp.Client.Update(t.Context(), ic)
	})
}

// requests returns how many requests this process has answered.
func requests(t *testing.T) float64 {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == "kubefledged_webhook_requests_total" })
	if i < 0 {
		return 0
	}
	sum := 0.0
	for _, m := range families[i].GetMetric() {
		sum += m.GetCounter().GetValue()
	}
	return sum
}

func ifNot(want func(error) bool, err error) error {
	if want(err) {
		return nil
	}
	if err == nil {
		return apierrors.NewBadRequest("no error")
	}
	return err
}
