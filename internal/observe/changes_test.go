package observe

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/fixture"
)

// TestCacheUpdatesThatWake: nodes are woken by what decides about them, the
// ImageCache's loop also by requests, and by status, which is its output.
func TestCacheUpdatesThatWake(t *testing.T) {
	type wakes struct{ nodes, requests, status bool }
	held := func(ic *v1alpha2.ImageCache) { ic.Finalizers = append(ic.Finalizers, v1alpha2.FinalizerPurge) }
	for name, tc := range map[string]struct {
		edit fixture.CacheMod
		want wakes
	}{
		"nothing":               {func(ic *v1alpha2.ImageCache) { ic.ResourceVersion = "2" }, wakes{}},
		"an edit":               {fixture.WithGeneration(2), wakes{true, true, false}},
		"deletion":              {fixture.Deleting("example.com/backup"), wakes{true, true, false}},
		"our finalizer":         {held, wakes{true, true, false}},
		"a finalizer of others": {func(ic *v1alpha2.ImageCache) { ic.Finalizers = []string{"example.com/backup"} }, wakes{}},
		"an accepted operation": {accepted(purgeSeven), wakes{true, true, false}},
		"a purge without value": {fixture.WithAnnotation(v1alpha2.AnnotationPurge, ""), wakes{false, true, false}},
		"a refresh":             {fixture.WithAnnotation(v1alpha2.AnnotationRefresh, "now"), wakes{false, true, false}},
		"a note":                {fixture.WithAnnotation("example.com/note", "x"), wakes{}},
		"a status":              {func(ic *v1alpha2.ImageCache) { ic.Status.Cached = 1 }, wakes{false, false, true}},
	} {
		old := fixture.ImageCache("c", fixture.WithImages(nil, "x"))
		now := old.DeepCopy()
		tc.edit(now)
		passes := func(p predicate.Predicate) bool { return p.Update(event.UpdateEvent{ObjectOld: old, ObjectNew: now}) }
		if got := (wakes{passes(CacheChanged()), passes(CacheAsked()), passes(StatusChanged())}); got != tc.want {
			t.Errorf("%s: wakes %+v, want %+v", name, got, tc.want)
		}
		back := func(p predicate.Predicate) bool { return p.Update(event.UpdateEvent{ObjectOld: now, ObjectNew: old}) }
		if got := (wakes{back(CacheChanged()), back(CacheAsked()), back(StatusChanged())}); got != tc.want {
			t.Errorf("%s taken back: wakes %+v, want %+v", name, got, tc.want)
		}
	}
}
