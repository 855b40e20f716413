//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

func withInterval(interval time.Duration) func(*v1alpha2.ImageCache) {
	return func(cache *v1alpha2.ImageCache) { cache.Spec.RefreshInterval = &metav1.Duration{Duration: interval} }
}

// The automatic refresh asks the registry once per image, node and interval for
// images whose tag may move, and for nothing else; what has moved arrives.
func TestAutomaticRefresh(t *testing.T) {
	w := newWorld(t, "automatic")
	log := w.watchJobs()
	const interval, lag = 10 * time.Second, 10 * time.Second
	latest, always := w.pushLatest("latest", "1KB"), w.push("always", "1KB")
	fixed := []string{w.push("a", "1KB"), w.push("b", "1KB")}
	w.cache("always", []string{always}, withInterval(interval), func(c *v1alpha2.ImageCache) { c.Spec.ImagePullPolicy = corev1.PullAlways })
	cache := w.cache("automatic", append([]string{latest}, fixed...), withInterval(interval))
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 30*time.Second)
	settled := time.Now()

	rounds := 1
	if full() {
		rounds = 6
	}
	nodes := []string{plainNode, backendNode}
	for _, node := range nodes {
		w.awaitJobs(log, pulls, node, latest, 1+rounds, time.Duration(2*rounds)*interval+lag)
	}
	took := time.Since(settled)
	t.Logf("refresh %d began after %s", rounds, took)
	if took < time.Duration(rounds)*interval/2 {
		t.Errorf("that is too early: the interval is %s", interval)
	}
	for _, node := range nodes {
		w.askedOnceEach(log, node, settled, latest, always)
		w.counted(log, 1, pulls, node, fixed...)
		w.counted(log, 0, verifies, node, fixed...)
		for _, image := range fixed {
			if requests := w.asked(node, image, settled); len(requests) > 0 {
				t.Errorf("%s asked for %s: %+v", node, image, requests)
			}
		}
	}
	w.tagMoves(latest, nodes, 2*interval+lag)
}

// awaitJobs waits for so many Jobs with an image.
func (w *world) awaitJobs(log *jobLog, operation, node, image string, count int, limit time.Duration) {
	w.Helper()
	w.check(lab.Poll(w.ctx, fmt.Sprintf("%d %s Jobs of %s", count, operation, image), limit, func(context.Context) (bool, string) {
		found := len(log.with(operation, node, image))
		return found >= count, fmt.Sprintf("%d on %s", found, node)
	}))
}

// askedOnceEach fails when the node has asked more than once per Job for an
// image that it has, or for more than its manifest. The last Job may still be
// on its way to the registry.
func (w *world) askedOnceEach(log *jobLog, node string, since time.Time, images ...string) {
	w.Helper()
	for _, image := range images {
		jobs, requests := len(log.with(pulls, node, image))-1, w.asked(node, image, since)
		other := slices.ContainsFunc(requests, func(r lab.Request) bool {
			return r.Status != http.StatusOK || !strings.Contains(r.Path, "/manifests/")
		})
		if other || len(requests) > jobs || len(requests) < jobs-1 {
			w.Errorf("%s: %d Jobs refreshed %s, requests %+v", node, jobs, image, requests)
		}
	}
}

// tagMoves pushes another image under the tag, and waits until the nodes have it.
func (w *world) tagMoves(image string, nodes []string, limit time.Duration) {
	w.Helper()
	digest, err := cluster.PushImage(w.ctx, image, "2KB")
	w.check(err)
	began := time.Now()
	for _, node := range nodes {
		w.check(lab.Poll(w.ctx, "the new digest on "+node, limit, func(ctx context.Context) (bool, string) {
			names := w.digests(ctx, node, image)
			return slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(name, digest) }), fmt.Sprint(names)
		}))
	}
	w.Logf("the tag had moved on all nodes after %s", time.Since(began))
}

// A refresh asked for by a user pulls what may have moved, and looks for the
// rest without a registry; what has vanished behind our back comes back and is
// counted.
func TestRefreshFindsWhatVanished(t *testing.T) {
	w := newWorld(t, "vanished")
	log := w.watchJobs()
	latest, gone, there := w.pushLatest("latest", "1KB"), w.push("gone", "1KB"), w.push("there", "1KB")
	cache := w.cache("vanished", []string{latest, gone, there}, onNode(plainNode))
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 30*time.Second)

	_, err := cluster.Exec(w.ctx, plainNode, "ctr", "-n", "k8s.io", "images", "rm", gone)
	w.check(err)
	since := time.Now()
	digest, err := cluster.PushImage(w.ctx, latest, "2KB")
	w.check(err)
	t.Logf("refreshed after %s", w.refresh(cache, "", 30*time.Second))
	w.exactly(plainNode, 0, latest, gone, there)
	if names := w.digests(w.ctx, plainNode, latest); !slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(name, digest) }) {
		t.Errorf("%s is %v, want %s", latest, names, digest)
	}
	if requests := w.asked(plainNode, there, since); len(requests) > 0 {
		t.Errorf("an image that is there was asked for: %+v", requests)
	}
	if len(w.asked(plainNode, gone, since)) == 0 {
		t.Error("the image that had vanished came without the registry")
	}
	w.counted(log, 2, pulls, plainNode, gone, latest)
	w.counted(log, 1, pulls, plainNode, there)
	if rec := w.record(plainNode, gone); rec.State != v1alpha2.ImageStateCached || rec.Vanished != 1 {
		t.Errorf("the record of %s: %+v", gone, rec)
	}
}
