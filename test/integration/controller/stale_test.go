package controller

import (
	"context"
	"testing"

	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/controllers/imagecache"
	"github.com/kubefledged/kubefledged-operator/internal/fixture"
	"github.com/kubefledged/kubefledged-operator/internal/observe"
)

// stale is a client whose informer has not heard of what came after known.
type stale struct {
	client.Client
	known *v1alpha2.ImageCache
}

func (s stale) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	if ic, ok := obj.(*v1alpha2.ImageCache); ok {
		s.known.DeepCopyInto(ic)
		return nil
	}
	return s.Client.Get(ctx, key, obj, opts...)
}

// reconcile lets a replica that knows this version of the object look at it
// once, and tells whether it wants to look again.
func reconcile(t *testing.T, known *v1alpha2.ImageCache) (again bool) {
	t.Helper()
	r := &imagecache.Reconciler{
		Client: stale{cp.Client, known}, Reader: cp.Client,
		Caches: &observe.Caches{}, Recorder: events.NewFakeRecorder(10),
	}
	result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(known)})
	if err != nil {
		t.Fatal(err)
	}
	return result.RequeueAfter > 0
}

// TestOldKnowledgeIsNotWritten: neither by a replica that was the leader, nor
// by one whose informer lags, nor onto another object of the same name.
func TestOldKnowledgeIsNotWritten(t *testing.T) {
	ic := addCache(t, fixture.WithImages(nil, nginx), purge("a"))
	first := get(t, ic)
	if reconcile(t, first) {
		t.Fatal("what is known is out of date at once")
	}
	op := accepted(t, ic)
	if op.PurgeValue != "a" || get(t, ic).Status.Status == "" {
		t.Fatalf("accepted %+v, status %+v", op, get(t, ic).Status)
	}
	for what, act := range map[string]func(){
		"the request is accepted": func() {},
		"the spec was edited":     func() { edit(t, ic, lists(fixture.WithImages(nil, redis)), purgeOnDeletion) },
		"it is another object": func() {
			remove(t, ic)
			awaitGone(t, ic)
			addCacheIn(t, ic.Namespace, fixture.WithImages(nil, nginx))
		},
	} {
		act()
		before := get(t, ic)
		if !reconcile(t, first) {
			t.Errorf("%s: it does not look again", what)
		}
		if after := get(t, ic); after.ResourceVersion != before.ResourceVersion {
			t.Errorf("%s: old knowledge was written: %+v", what, after)
		}
	}
	remove(t, ic)
	if reconcile(t, first) {
		t.Error("it looks again at what is gone")
	}
}

// TestMetadataIsOneWrite: the request, what was accepted and the finalizer.
func TestMetadataIsOneWrite(t *testing.T) {
	ic := addCache(t, fixture.WithImages(nil, nginx), purge("a"), refresh(""), purgeOnDeletion)
	reconcile(t, get(t, ic))
	now := get(t, ic)
	_, asked := now.Annotations[v1alpha2.AnnotationPurge]
	_, waits := now.Annotations[v1alpha2.AnnotationRefresh]
	if asked || !waits || accepted(t, ic).PurgeValue != "a" || len(now.Finalizers) != 1 || now.Generation != 1 {
		t.Errorf("annotations %v, finalizers %v, generation %d", now.Annotations, now.Finalizers, now.Generation)
	}
	before := now.ResourceVersion
	for range 3 { // the purge is served: nobody has anything; then the refresh
		reconcile(t, get(t, ic))
	}
	if op := accepted(t, ic); op.Kind != "refresh" || len(get(t, ic).Annotations) != 1 {
		t.Errorf("accepted %+v, annotations %v", op, get(t, ic).Annotations)
	}
	reconcile(t, get(t, ic))
	settled := get(t, ic).ResourceVersion
	reconcile(t, get(t, ic))
	if now := get(t, ic).ResourceVersion; now != settled || settled == before {
		t.Errorf("versions %s, %s, %s", before, settled, now)
	}
}
