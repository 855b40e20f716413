//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// A purge holds whatever happens to nodes and controller, until a refresh; a
// value that was served is no new request; a refresh right after a purge ends
// with the images on the nodes.
func TestPurgeHoldsUntilRefreshed(t *testing.T) {
	w := newWorld(t, "purged")
	log := w.watchJobs()
	label := map[string]string{"e2e-purged": "yes"}
	w.label(plainNode, "e2e-purged")
	a, b := w.push("a", "1KB"), w.push("b", "1KB")
	cache := w.cache("purged", []string{a, b}, withSelector(label))
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 30*time.Second)
	t.Logf("purged after %s", w.purge(cache, "monday", 30*time.Second))
	w.exactly(plainNode, 0)
	if got := condition(cache, v1alpha2.ConditionPurged); got != "True/"+v1alpha2.ConditionReasonPurged || cache.Status.Desired != 0 {
		t.Errorf("Purged is %s, status %s", got, describe(&cache.Status))
	}

	w.label(backendNode, "e2e-purged") // a new node, as far as this ImageCache is concerned
	if full() {
		w.addNode("purged-joins", "--labels=e2e-purged=yes")
		w.crash()
	}
	w.annotate(cache, v1alpha2.AnnotationPurge, "monday")
	witness := w.cache("witness", []string{w.push("witness", "1KB")}) // its images come when all nodes have been looked at again
	t.Logf("the controller served others after %s", w.awaitWord(witness, v1alpha2.ImageCacheActionStatusSucceeded, 60*time.Second))
	w.counted(log, 1, pulls, plainNode, a, b)
	w.counted(log, 0, pulls, backendNode, a, b)
	w.counted(log, 1, removes, plainNode, a, b)

	t.Logf("refreshed after %s", w.refresh(cache, "", 30*time.Second))
	w.holds(plainNode, a, b)
	w.holds(backendNode, a, b)
	w.status(cache, v1alpha2.ImageCacheActionStatusSucceeded, v1alpha2.ImageCacheReasonRefresh, v1alpha2.MessageImagesPulled)
	if cache.Annotations[v1alpha2.AnnotationPurge] != "monday" {
		t.Errorf("the value that was served is gone: %v", cache.Annotations)
	}
	w.counted(log, 1, removes, plainNode, a, b)
	w.purgeAndRefresh(cache, log, a, b)
}

// label adds a label to a node until the scenario ends.
func (w *world) label(node, key string) {
	w.Helper()
	w.changeNode(node,
		func(n *corev1.Node) { n.Labels[key] = "yes" },
		func(n *corev1.Node) { delete(n.Labels, key) })
}

// purgeAndRefresh asks for both at once. The purge is not skipped.
func (w *world) purgeAndRefresh(cache *v1alpha2.ImageCache, log *jobLog, images ...string) {
	w.Helper()
	began := time.Now()
	w.annotate(cache, v1alpha2.AnnotationPurge, "tuesday")
	w.annotate(cache, v1alpha2.AnnotationRefresh, "tuesday")
	w.await(cache, "refreshed", 60*time.Second, func(s *v1alpha2.ImageCacheStatus) bool {
		last := s.LastOperation
		return cache.Annotations[v1alpha2.AnnotationRefresh] == "" && last.Kind == "refresh" && last.ID == accepted(cache) &&
			last.CompletionTime != nil && s.Status == v1alpha2.ImageCacheActionStatusSucceeded
	})
	w.Logf("purged and refreshed after %s", time.Since(began))
	for _, node := range []string{plainNode, backendNode} {
		w.holds(node, images...)
	}
	w.counted(log, 2, removes, plainNode, images...)
	w.counted(log, 1, removes, backendNode, images...)
}

// A controller that is killed anywhere between the acceptance of a request and
// its end carries it out once: no image is removed twice, none is pulled twice.
func TestRequestsAreServedOnce(t *testing.T) {
	t.Run("killed-before-record", func(t *testing.T) { servesOnce(newWorld(t, "before-record"), (*world).crashBeforeRecord) })
	if full() {
		t.Run("killed-after-acceptance", func(t *testing.T) {
			servesOnce(newWorld(t, "after-acceptance"), func(w *world, _ jobsSeen) { w.crash() })
		})
	}
}

// jobsSeen returns the Jobs that carry out a request.
type jobsSeen func() []*batchv1.Job

func servesOnce(w *world, kill func(*world, jobsSeen)) {
	w.Helper()
	log := w.watchJobs()
	fixed, moving := w.push("fixed", "1KB"), w.pushLatest("moving", "1KB")
	cache := w.cache("once", []string{fixed, moving}, onNode(plainNode))
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 30*time.Second)

	if full() {
		since, first := time.Now(), log.with(pulls, plainNode, moving)
		id := w.request(cache, v1alpha2.AnnotationRefresh, "")
		kill(w, func() []*batchv1.Job { return log.with(pulls, plainNode, moving)[len(first):] })
		w.Logf("refreshed %s after the kill", w.served(cache, id, 60*time.Second))
		if got := len(w.asked(plainNode, moving, since)); got != 1 {
			w.Errorf("%d requests for the image that was refreshed, want 1", got)
		}
		w.counted(log, 2, pulls, plainNode, moving)
		w.counted(log, 1, pulls, plainNode, fixed)
	}
	id := w.request(cache, v1alpha2.AnnotationPurge, "")
	kill(w, func() []*batchv1.Job { return log.with(removes, plainNode, fixed) })
	w.Logf("purged %s after the kill", w.served(cache, id, 60*time.Second))
	w.exactly(plainNode, 0)
	w.counted(log, 1, removes, plainNode, fixed, moving)
}

// crashBeforeRecord stops the controller as soon as there is a Job, and kills
// it when the Job has ended: nobody has recorded what became of it.
func (w *world) crashBeforeRecord(seen jobsSeen) {
	w.Helper()
	pod := w.leaderNow()
	w.check(lab.Poll(w.ctx, "a Job", 10*time.Second, func(context.Context) (bool, string) { return len(seen()) > 0, "none" }))
	w.signalController(pod, "SIGSTOP")
	w.check(lab.Poll(w.ctx, "the Job's end", 30*time.Second, func(context.Context) (bool, string) {
		job := seen()[0]
		return job.Status.CompletionTime != nil, fmt.Sprintf("%+v", job.Status)
	}))
	w.signalController(pod, "SIGKILL")
	w.check(cluster.API.Delete(w.ctx, pod, client.GracePeriodSeconds(0)))
}

// Neither does a purge come back by itself when the automatic refresh would.
func TestPurgeAndAutomaticRefresh(t *testing.T) {
	if !full() {
		t.Skip("full only: takes three intervals")
	}
	w := newWorld(t, "stays")
	log := w.watchJobs()
	gone, clock := w.pushLatest("gone", "1KB"), w.pushLatest("clock", "1KB")
	cache := w.cache("stays", []string{gone}, onNode(plainNode), withInterval(10*time.Second))
	w.cache("clock", []string{clock}, onNode(plainNode), withInterval(10*time.Second))
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 30*time.Second)
	w.purge(cache, "", 30*time.Second)
	before, pulled := len(log.with(pulls, plainNode, clock)), len(log.with(pulls, plainNode, gone))
	w.awaitJobs(log, pulls, plainNode, clock, before+3, time.Minute)
	w.counted(log, pulled, pulls, plainNode, gone)
	w.exactly(plainNode, 0, clock)
}
