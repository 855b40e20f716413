package controller

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/controllers"
	"github.com/kubefledged/kubefledged-operator/internal/fixture"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

const mariadb = "quay.io/bitnami/mariadb:10.5.11"

// edit changes an ImageCache as a user does.
func edit(t *testing.T, ic *v1alpha2.ImageCache, mods ...fixture.CacheMod) {
	t.Helper()
	now := get(t, ic)
	before := now.DeepCopy()
	for _, mod := range mods {
		mod(now)
	}
	if err := cp.Client.Patch(t.Context(), now, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, ic *v1alpha2.ImageCache) *v1alpha2.ImageCache {
	t.Helper()
	var now v1alpha2.ImageCache
	if err := cp.Client.Get(t.Context(), client.ObjectKeyFromObject(ic), &now); err != nil {
		t.Fatal(err)
	}
	return &now
}

func lists(mods ...fixture.CacheMod) fixture.CacheMod {
	return func(ic *v1alpha2.ImageCache) {
		ic.Spec.CacheSpec = nil
		for _, mod := range mods {
			mod(ic)
		}
	}
}

func purge(value string) fixture.CacheMod {
	return fixture.WithAnnotation(v1alpha2.AnnotationPurge, value)
}

func refresh(value string) fixture.CacheMod {
	return fixture.WithAnnotation(v1alpha2.AnnotationRefresh, value)
}

var purgeOnDeletion = fixture.WithDeletionPolicy(v1alpha2.DeletionPolicyPurge)

// accepted returns the operation that an ImageCache's annotation holds.
func accepted(t *testing.T, ic *v1alpha2.ImageCache) plan.Operation {
	t.Helper()
	var op plan.Operation
	if text := get(t, ic).Annotations[v1alpha2.AnnotationAccepted]; text != "" {
		if err := json.Unmarshal([]byte(text), &op); err != nil {
			t.Fatal(err)
		}
	}
	return op
}

// done waits for an operation of this kind to be carried out.
func done(t *testing.T, ic *v1alpha2.ImageCache, kind plan.OperationKind) *v1alpha2.ImageCacheStatus {
	t.Helper()
	return await(t, ic, string(kind)+" is done", func(s *v1alpha2.ImageCacheStatus) bool {
		last := s.LastOperation
		return last != nil && last.Kind == string(kind) && last.CompletionTime != nil &&
			s.Status != v1alpha2.ImageCacheActionStatusProcessing
	})
}

// eventually waits for a condition that no status tells.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited 20 s in vain for: %s", what)
}

func awaitGone(t *testing.T, ic *v1alpha2.ImageCache) {
	t.Helper()
	eventually(t, "the ImageCache is gone", func() bool {
		return apierrors.IsNotFound(cp.Client.Get(t.Context(), client.ObjectKeyFromObject(ic), &v1alpha2.ImageCache{}))
	})
}

func remove(t *testing.T, ic *v1alpha2.ImageCache) {
	t.Helper()
	if err := cp.Client.Delete(context.Background(), get(t, ic)); err != nil {
		t.Fatal(err)
	}
}

func wantHeld(t *testing.T, w *worker, node string, images ...string) {
	t.Helper()
	if got := w.holds(node); !slices.Equal(got, images) {
		t.Errorf("%s holds %v, want %v", node, got, images)
	}
}

func TestEditAddsAndRemoves(t *testing.T) {
	addNode(t, "n1")
	addNode(t, "n2", fixture.WithLabels(backend))
	w := startWorker(t, 50*time.Millisecond)
	start(t, options())
	ic := addCache(t, fixture.WithImages(nil, nginx, redis))
	awaitSucceeded(t, ic)
	edit(t, ic, lists(fixture.WithImages(nil, redis), fixture.WithImages(backend, mariadb)))
	s := await(t, ic, "edited", progress("3/3"))
	if s.Reason != v1alpha2.ImageCacheReasonUpdate || s.Removing != 0 {
		t.Errorf("reason %s, %d to be removed", s.Reason, s.Removing)
	}
	wantHeld(t, w, "n1", redis)
	wantHeld(t, w, "n2", mariadb, redis)
	w.use(mariadb, true)
	edit(t, ic, lists(fixture.WithImages(nil, redis)))
	s = await(t, ic, "the image is in use", word(v1alpha2.ImageCacheActionStatusFailed))
	if f := s.Failures[mariadb]; len(f) != 1 || f[0].Reason != v1alpha2.ReasonImageInUse || s.Message != v1alpha2.MessageImageDeletionFailed {
		t.Errorf("message %q, failures %v", s.Message, s.Failures)
	}
	wantHeld(t, w, "n2", mariadb, redis)
	awaitNoJobs(t)
}

// TestPurgeSurvivesACrash stops the controller when it has accepted a purge and
// has not served it.
func TestPurgeSurvivesACrash(t *testing.T) {
	addNode(t, "n1")
	w := startWorker(t, 50*time.Millisecond)
	stop := start(t, options())
	ic := addCache(t, fixture.WithImages(nil, nginx, redis))
	awaitSucceeded(t, ic)
	w.pause(true)
	edit(t, ic, purge(""))
	await(t, ic, "accepted", func(s *v1alpha2.ImageCacheStatus) bool {
		return s.Reason == v1alpha2.ImageCacheReasonPurge && s.Message == v1alpha2.MessagePurgingCache
	})
	first := accepted(t, ic)
	stop()
	w.pause(false)
	stop = start(t, options())
	s := done(t, ic, plan.OperationPurge)
	if s.Status != v1alpha2.ImageCacheActionStatusSucceeded || s.Message != v1alpha2.MessageImagesDeleted || !meta.IsStatusConditionTrue(s.Conditions, v1alpha2.ConditionPurged) {
		t.Errorf("%s %q %v", s.Status, s.Message, s.Conditions)
	}
	wantHeld(t, w, "n1")
	if _, removals := w.counts("n1", nginx); removals != 1 || accepted(t, ic).ID != first.ID {
		t.Errorf("%d removals; accepted %d, then %d", removals, first.ID, accepted(t, ic).ID)
	}
	stop()
	edit(t, ic, refresh("")) // while there is no controller
	start(t, options())
	s = done(t, ic, plan.OperationRefresh)
	if s.Status != v1alpha2.ImageCacheActionStatusSucceeded || s.Reason != v1alpha2.ImageCacheReasonRefresh || s.Progress != "2/2" {
		t.Errorf("%s %s %s", s.Status, s.Reason, s.Progress)
	}
	wantHeld(t, w, "n1", nginx, redis)
	annotations := get(t, ic).Annotations
	if len(annotations) != 1 || accepted(t, ic).ID <= first.ID {
		t.Errorf("annotations %v", annotations)
	}
}

// TestPurgeAndRefreshAtOnce: the images go and come back.
func TestPurgeAndRefreshAtOnce(t *testing.T) {
	addNode(t, "n1")
	w := startWorker(t, 50*time.Millisecond)
	start(t, options())
	ic := addCache(t, fixture.WithImages(nil, nginx))
	awaitSucceeded(t, ic)
	edit(t, ic, purge(""), refresh(""))
	s := done(t, ic, plan.OperationRefresh)
	if s.Progress != "1/1" || s.Status != v1alpha2.ImageCacheActionStatusSucceeded {
		t.Errorf("%s %s", s.Status, s.Progress)
	}
	wantHeld(t, w, "n1", nginx)
	if pulls, removals := w.counts("n1", nginx); pulls != 2 || removals != 1 {
		t.Errorf("%d pulls, %d removals", pulls, removals)
	}
}

// TestRefreshFindsWhatVanished, and pulls nothing that is there.
func TestRefreshFindsWhatVanished(t *testing.T) {
	addNode(t, "n1")
	w := startWorker(t, 50*time.Millisecond)
	start(t, options())
	ic := addCache(t, fixture.WithImages(nil, nginx, redis))
	awaitSucceeded(t, ic)
	w.lose("n1", redis)
	edit(t, ic, refresh(""))
	done(t, ic, plan.OperationRefresh)
	wantHeld(t, w, "n1", nginx, redis)
	if again := w.repeated(); !slices.Equal(again, []string{"n1 " + redis}) {
		t.Errorf("pulled again: %v", again)
	}
}

// TestTheSameValueIsOneRequest: GitOps puts the annotation back.
func TestTheSameValueIsOneRequest(t *testing.T) {
	addNode(t, "n1")
	w := startWorker(t, 50*time.Millisecond)
	start(t, options())
	ic := addCache(t, fixture.WithImages(nil, nginx))
	awaitSucceeded(t, ic)
	edit(t, ic, purge("a"))
	done(t, ic, plan.OperationPurge)
	first := accepted(t, ic)
	edit(t, ic, purge("a"), refresh("b"))
	done(t, ic, plan.OperationRefresh)
	before := get(t, ic)
	time.Sleep(time.Second)
	after := get(t, ic)
	if after.ResourceVersion != before.ResourceVersion || after.Annotations[v1alpha2.AnnotationPurge] != "a" {
		t.Errorf("written again: %v", after.Annotations)
	}
	if op := accepted(t, ic); op.PurgeValue != "a" || op.RefreshValue != "b" || op.ID <= first.ID {
		t.Errorf("accepted %+v after %+v", op, first)
	}
	wantHeld(t, w, "n1", nginx)
	if _, removals := w.counts("n1", nginx); removals != 1 {
		t.Errorf("%d removals", removals)
	}
}

func TestDeletionRetains(t *testing.T) {
	addNode(t, "n1")
	w := startWorker(t, 50*time.Millisecond)
	start(t, options())
	ic := addCache(t, fixture.WithImages(nil, nginx))
	awaitSucceeded(t, ic)
	if f := get(t, ic).Finalizers; len(f) > 0 {
		t.Errorf("finalizers %v", f)
	}
	remove(t, ic)
	awaitGone(t, ic)
	time.Sleep(time.Second)
	wantHeld(t, w, "n1", nginx)
}

// TestDeletionPurges, but for the image in use, and also from the node that is
// away, when it returns.
func TestDeletionPurges(t *testing.T) {
	addNode(t, "n1")
	addNode(t, "n2")
	w := startWorker(t, 50*time.Millisecond)
	start(t, options())
	ic := addCache(t, fixture.WithImages(nil, nginx, redis), purgeOnDeletion)
	awaitSucceeded(t, ic)
	if f := get(t, ic).Finalizers; !slices.Equal(f, []string{v1alpha2.FinalizerPurge}) {
		t.Errorf("finalizers %v", f)
	}
	w.use(redis, true)
	cordon(t, "n2", true)
	await(t, ic, "n2 is known to be away", func(s *v1alpha2.ImageCacheStatus) bool { return s.Nodes.Selected == 2 })
	remove(t, ic)
	awaitGone(t, ic)
	wantHeld(t, w, "n1", redis)
	wantHeld(t, w, "n2", nginx, redis)
	cordon(t, "n2", false)
	eventually(t, "n2 is served", func() bool { return slices.Equal(w.holds("n2"), []string{redis}) })
}

// TestDeletionIsNotHeldByWhatCannotWork: removals are off, or their namespace
// is not there.
func TestDeletionIsNotHeldByWhatCannotWork(t *testing.T) {
	for name, tc := range map[string]struct {
		mod    func(*controllers.Options)
		reason string
	}{
		"removal is off":              {func(o *controllers.Options) { o.Removal = false }, v1alpha2.ReasonRemovalDisabled},
		"no namespace for removals":   {func(o *controllers.Options) { o.RemovalNamespace = "not-there" }, v1alpha2.ReasonJobNotCreated},
		"policy is Retain by an edit": {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			addNode(t, "n1")
			w := startWorker(t, 50*time.Millisecond)
			mods := []func(*controllers.Options){}
			if tc.mod != nil {
				mods = append(mods, tc.mod)
			}
			start(t, options(mods...))
			ic := addCache(t, fixture.WithImages(nil, nginx), purgeOnDeletion)
			awaitSucceeded(t, ic)
			if tc.reason == "" {
				edit(t, ic, fixture.WithDeletionPolicy(v1alpha2.DeletionPolicyRetain))
				eventually(t, "not held any more", func() bool { return len(get(t, ic).Finalizers) == 0 })
			} else {
				edit(t, ic, purge(""))
				s := done(t, ic, plan.OperationPurge)
				if f := s.Failures[nginx]; len(f) != 1 || f[0].Reason != tc.reason || s.Message != v1alpha2.MessageImageDeletionFailed {
					t.Errorf("%s %q, failures %v", s.Status, s.Message, s.Failures)
				}
			}
			remove(t, ic)
			awaitGone(t, ic)
			wantHeld(t, w, "n1", nginx)
		})
	}
}

// TestRecreatedWithFewerImages while there is no controller: what the object of
// before had is nobody's to remove.
func TestRecreatedWithFewerImages(t *testing.T) {
	addNode(t, "n1")
	w := startWorker(t, 50*time.Millisecond)
	stop := start(t, options())
	ic := addCache(t, fixture.WithImages(nil, nginx, redis))
	awaitSucceeded(t, ic)
	stop()
	remove(t, ic)
	awaitGone(t, ic)
	again := addCacheIn(t, ic.Namespace, fixture.WithImages(nil, nginx))
	start(t, options())
	awaitSucceeded(t, again)
	time.Sleep(2 * time.Second)
	wantHeld(t, w, "n1", nginx, redis)
	if w.removed() > 0 {
		t.Error("something was removed")
	}
}

// TestStatusIsRepaired: whatever somebody writes over the status.
func TestStatusIsRepaired(t *testing.T) {
	addNode(t, "n1")
	startWorker(t, 50*time.Millisecond)
	start(t, options())
	ic := addCache(t, fixture.WithImages(nil, nginx))
	awaitSucceeded(t, ic)
	now := get(t, ic)
	now.Status.Cached, now.Status.Progress = 999, "999/1"
	if err := cp.Client.Status().Update(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	await(t, ic, "repaired", progress("1/1"))
}

func cordon(t *testing.T, node string, on bool) {
	t.Helper()
	change(t, node, func(n *corev1.Node) { n.Spec.Unschedulable = on })
}

// TestNamespaceGoes while its images are still to be removed: the records know
// of them, and nothing is waited for.
func TestNamespaceGoes(t *testing.T) {
	addNode(t, "n1")
	w := startWorker(t, 50*time.Millisecond)
	start(t, options())
	ic := addCache(t, fixture.WithImages(nil, nginx), purgeOnDeletion)
	awaitSucceeded(t, ic)
	w.pause(true)
	namespace := &corev1.Namespace{}
	namespace.Name = ic.Namespace
	if err := cp.Client.Delete(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	remove(t, ic) // as the namespace controller does
	awaitGone(t, ic)
	wantHeld(t, w, "n1", nginx)
	w.pause(false)
	eventually(t, "the image is removed all the same", func() bool { return len(w.holds("n1")) == 0 })
}
