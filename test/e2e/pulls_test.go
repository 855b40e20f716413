//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// An image that does not exist is told within seconds, and those beside it
// are pulled.
func TestMissingImageAmongLargeOnes(t *testing.T) {
	w := newWorld(t, "missing")
	missing := w.missing("gone")
	good := make([]string, 9)
	for i := range good {
		good[i] = w.push(fmt.Sprintf("big-%d", i), "100MB")
	}
	cache := w.cache("nine-and-one", append([]string{missing}, good...))
	began := time.Now()
	failure := w.awaitFailure(cache, missing, plainNode, v1alpha2.ReasonImageNotFound, 15*time.Second)
	t.Logf("failed after %s: %s", time.Since(began), failure.Message)
	if failure.Message == "" {
		t.Error("the failure has no message")
	}
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusFailed, time.Minute)
	t.Logf("settled after %s", time.Since(began))
	for _, node := range []string{plainNode, backendNode} {
		w.holds(node, good...)
		w.lacks(node, missing)
	}
	if s := cache.Status; s.Cached != 18 || s.Failed != 2 || s.Message != v1alpha2.MessageImagePullFailed {
		t.Errorf("status %s, message %q", describe(&s), s.Message)
	}
}

// A large image from a slow registry gives way to the others, which it has
// held up for 20 seconds at most, and is cached in the end.
func TestSlowImageGivesWay(t *testing.T) {
	w := newWorld(t, "slow")
	size, rate := "120MB", int64(4_000_000)
	if full() {
		size = "200MB"
	}
	slow := w.push("slow", size)
	small := []string{w.push("a", "1MB"), w.push("b", "1MB"), w.push("c", "1MB")}
	w.rules(lab.Rule{Repository: w.namespace + "/slow", BytesPerSecond: rate})

	cache := w.cache("slow", append([]string{slow}, small...), onNode(plainNode))
	began := time.Now()
	w.awaitImages(plainNode, 35*time.Second, small...)
	t.Logf("the small images were on the node after %s", time.Since(began))
	w.await(cache, "cached 3 while the slow one is pulled", 10*time.Second, func(s *v1alpha2.ImageCacheStatus) bool {
		return s.Cached == 3 && s.Failed == 0 && s.Status == v1alpha2.ImageCacheActionStatusProcessing
	})
	w.lacks(plainNode, slow)
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 2*time.Minute)
	t.Logf("succeeded after %s", time.Since(began))
	w.holds(plainNode, append(small, slow)...)
	w.reportResumption()
}

// reportResumption tells what became of the part of a blob that had been
// fetched when its pull was canceled.
func (w *world) reportResumption() {
	for digest, f := range w.fetched(plainNode) {
		if f.bytes > 50_000_000 {
			w.Logf("large blob %.19s: %d requests, %d of them partial, %.0f MB in all", digest, f.requests, f.partial, float64(f.bytes)/1e6)
		}
	}
}

// By the exec method everything is as by image volumes, also for images that
// have nothing to run.
func TestExecMethod(t *testing.T) {
	w := newWorld(t, "exec")
	w.configure(withFlag("--pull-method=exec"))
	w.check(cluster.Registry.PushBare(w.ctx, w.namespace+"/bare", "1"))
	bare, missing := "quay.io/"+w.namespace+"/bare:1", w.missing("gone")
	good := []string{bare, w.push("a", "1MB"), w.push("b", "1MB")}

	cache := w.cache("exec", append([]string{missing}, good...))
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusFailed, time.Minute)
	for _, node := range []string{plainNode, backendNode} {
		w.awaitFailure(cache, missing, node, v1alpha2.ReasonImageNotFound, time.Second)
		w.holds(node, good...)
	}
	if s := cache.Status; s.Cached != 6 || s.Failed != 2 {
		t.Errorf("status %s", describe(&s))
	}
}
