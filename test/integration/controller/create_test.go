package controller

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/controllers"
	"github.com/kubefledged/kubefledged-operator/internal/fixture"
)

const (
	nginx = "quay.io/bitnami/nginx:1.21.1"
	redis = "quay.io/bitnami/redis:6.2.5"
)

var backend = map[string]string{"tier": "backend"}

func TestTutorialIsCached(t *testing.T) {
	addNode(t, "n1")
	addNode(t, "n2", fixture.WithLabels(backend))
	startWorker(t, 100*time.Millisecond)
	start(t, options())
	ic := addCache(t, fixture.WithImages(nil, nginx), fixture.WithImages(backend, redis))
	s := awaitSucceeded(t, ic)
	if s.Reason != v1alpha2.ImageCacheReasonCreate || s.Message != v1alpha2.MessageImagesPulled || s.Progress != "3/3" || s.CompletionTime == nil {
		t.Errorf("unexpected status: %+v", s)
	}
	if !meta.IsStatusConditionTrue(s.Conditions, v1alpha2.ConditionReady) {
		t.Errorf("not Ready: %+v", s.Conditions)
	}
	if got := cachedOn(t, "n1"); !slices.Equal(got, []string{nginx}) {
		t.Errorf("n1 holds %v", got)
	}
	if got := cachedOn(t, "n2"); !slices.Equal(got, []string{nginx, redis}) {
		t.Errorf("n2 holds %v", got)
	}
	awaitNoJobs(t)
	awaitEvent(t, ic, v1alpha2.ImageCacheReasonCreate, corev1.EventTypeNormal)
}

func TestOneMissingImageFailsAlone(t *testing.T) {
	addNode(t, "n1")
	startWorker(t, 100*time.Millisecond)
	start(t, options())
	missing := "registry.test/missing:1"
	ic := addCache(t, fixture.WithImages(nil, "registry.test/a:1", missing, "registry.test/b:1"))
	s := await(t, ic, "Failed", word(v1alpha2.ImageCacheActionStatusFailed))
	f := s.Failures[missing]
	if len(s.Failures) != 1 || len(f) != 1 || f[0].Node != "n1" || f[0].Reason != v1alpha2.ReasonImageNotFound {
		t.Errorf("failures are %v", s.Failures)
	}
	if s.Cached != 2 || s.Failed != 1 {
		t.Errorf("cached %d, failed %d", s.Cached, s.Failed)
	}
	awaitNoJobs(t)
	awaitEvent(t, ic, v1alpha2.ImageCacheReasonCreate, corev1.EventTypeWarning)
}

func TestNodesComeAndChange(t *testing.T) {
	addNode(t, "n1")
	startWorker(t, 50*time.Millisecond)
	start(t, options())
	ic := addCache(t, fixture.WithImages(nil, nginx), fixture.WithImages(backend, redis))
	awaitSucceeded(t, ic)
	addNode(t, "n2")
	await(t, ic, "two nodes complete", progress("2/2"))
	change(t, "n2", func(n *corev1.Node) { n.Labels["tier"] = "backend" })
	await(t, ic, "the labeled node has both images", progress("3/3"))
	addNode(t, "n3", fixture.Cordoned())
	s := await(t, ic, "the cordoned node waits", func(s *v1alpha2.ImageCacheStatus) bool { return s.Waiting == 1 })
	if s.Status != v1alpha2.ImageCacheActionStatusSucceeded || s.Nodes.WaitingReasons[v1alpha2.WaitingUnschedulable] != 1 {
		t.Errorf("status %s, waiting reasons %v", s.Status, s.Nodes.WaitingReasons)
	}
	change(t, "n3", func(n *corev1.Node) { n.Spec.Unschedulable, n.Spec.Taints = false, nil })
	await(t, ic, "the node is served after uncordon", progress("4/4"))
}

func TestReplacedNodeIsServedAnew(t *testing.T) {
	addNode(t, "n1")
	w := startWorker(t, 50*time.Millisecond)
	start(t, options())
	ic := addCache(t, fixture.WithImages(nil, nginx))
	awaitSucceeded(t, ic)
	removeNode(t, "n1")
	await(t, ic, "no node", func(s *v1alpha2.ImageCacheStatus) bool { return s.Desired == 0 })
	addNode(t, "n1")
	await(t, ic, "the new node is complete", progress("1/1"))
	if got := w.repeated(); !slices.Equal(got, []string{"n1 " + nginx}) {
		t.Errorf("pulled again: %v", got)
	}
}

func TestCapHolds(t *testing.T) {
	for i := range 6 {
		addNode(t, fmt.Sprintf("n%d", i))
	}
	w := startWorker(t, 300*time.Millisecond)
	start(t, options(func(o *controllers.Options) { o.JobsMaxSurge = 2; o.ImagesPerJob = "1" }))
	ic := addCache(t, fixture.WithImages(nil, "registry.test/a:1", "registry.test/b:1"))
	await(t, ic, "all pairs", progress("12/12"))
	if w.mostJobs() > 2 {
		t.Errorf("%d Jobs at once, the cap is 2", w.mostJobs())
	}
}

func TestRestartInMidPull(t *testing.T) {
	addNode(t, "n1")
	w := startWorker(t, 4*time.Second)
	stop := start(t, options())
	ic := addCache(t, fixture.WithImages(nil, nginx, redis))
	await(t, ic, "pulling", func(s *v1alpha2.ImageCacheStatus) bool { return s.Pulling > 0 })
	stop()
	start(t, options())
	awaitSucceeded(t, ic)
	if again := w.repeated(); len(again) > 0 {
		t.Errorf("pulled again: %v", again)
	}
}

func TestRefusedJobIsToldAndHealed(t *testing.T) {
	addNode(t, "n1")
	startWorker(t, 50*time.Millisecond)
	namespace, err := cp.Namespace("quota")
	if err != nil {
		t.Fatal(err)
	}
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "none", Namespace: namespace}}
	quota.Spec.Hard = corev1.ResourceList{"count/jobs.batch": resource.MustParse("0")}
	if err := cp.Client.Create(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	quota.Status.Hard, quota.Status.Used = quota.Spec.Hard, corev1.ResourceList{"count/jobs.batch": resource.MustParse("0")}
	if err := cp.Client.Status().Update(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	start(t, options())
	ic := addCacheIn(t, namespace, fixture.WithImages(nil, nginx))
	s := await(t, ic, "Failed", word(v1alpha2.ImageCacheActionStatusFailed))
	f := s.Failures[nginx]
	if len(f) != 1 || f[0].Reason != v1alpha2.ReasonJobNotCreated || !strings.Contains(f[0].Message, "exceeded quota") {
		t.Errorf("failures are %v", s.Failures)
	}
	if err := cp.Client.Delete(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	await(t, ic, "healed", progress("1/1"))
}

func TestSelectorThatMatchesNothing(t *testing.T) {
	addNode(t, "n1")
	start(t, options())
	ic := addCache(t, fixture.WithImages(map[string]string{"no": "node"}, nginx))
	s := await(t, ic, "no node", word(v1alpha2.ImageCacheActionStatusNoImagesPulledOrDeleted))
	if s.Message != v1alpha2.MessageNoNodesMatched {
		t.Errorf("message %q", s.Message)
	}
}

func TestTwoReplicasOneLeader(t *testing.T) {
	addNode(t, "n1")
	w := startWorker(t, 100*time.Millisecond)
	elect := func(o *controllers.Options) { o.LeaderElect = true }
	stop := start(t, options(elect))
	start(t, options(elect))
	ic := addCache(t, fixture.WithImages(nil, nginx))
	awaitSucceeded(t, ic)
	stop()
	addNode(t, "n2")
	await(t, ic, "the other replica took over", progress("2/2"))
	if again := w.repeated(); len(again) > 0 {
		t.Errorf("pulled again: %v", again)
	}
}

func progress(p string) func(*v1alpha2.ImageCacheStatus) bool {
	return func(s *v1alpha2.ImageCacheStatus) bool {
		return s.Progress == p && s.Status == v1alpha2.ImageCacheActionStatusSucceeded
	}
}

// change edits a Node and keeps its status.
func change(t *testing.T, name string, edit func(*corev1.Node)) {
	t.Helper()
	var node corev1.Node
	if err := cp.Client.Get(t.Context(), client.ObjectKey{Name: name}, &node); err != nil {
		t.Fatal(err)
	}
	before := node.DeepCopy()
	edit(&node)
	if err := cp.Client.Patch(t.Context(), &node, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

func awaitNoJobs(t *testing.T) {
	t.Helper()
	var list batchv1.JobList
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err := cp.Client.List(t.Context(), &list); err != nil {
			t.Fatal(err)
		}
		if len(list.Items) == 0 {
			return
		}
	}
	t.Errorf("%d Jobs are left", len(list.Items))
}

func awaitEvent(t *testing.T, ic *v1alpha2.ImageCache, reason, kind string) {
	t.Helper()
	var list eventsv1.EventList
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err := cp.Client.List(t.Context(), &list, client.InNamespace(ic.Namespace)); err != nil {
			t.Fatal(err)
		}
		for _, e := range list.Items {
			if e.Regarding.UID == ic.UID && e.Reason == reason && e.Type == kind {
				return
			}
		}
	}
	t.Errorf("no %s Event with reason %s among %d", kind, reason, len(list.Items))
}
