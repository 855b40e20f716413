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
	nodes, place := []string{plainNode}, onNode(plainNode)
	if full() { // two nodes of one small machine are slower than two machines
		nodes, place = []string{plainNode, backendNode}, func(*v1alpha2.ImageCache) {}
	}
	cache := w.cache("nine-and-one", append([]string{missing}, good...), place)
	began := time.Now()
	failure := w.awaitFailure(cache, missing, plainNode, v1alpha2.ReasonImageNotFound, 15*time.Second)
	t.Logf("failed after %s: %s", time.Since(began), failure.Message)
	if failure.Message == "" {
		t.Error("the failure has no message")
	}
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusFailed, time.Minute)
	t.Logf("settled after %s", time.Since(began))
	for _, node := range nodes {
		w.holds(node, good...)
		w.lacks(node, missing)
	}
	s := cache.Status
	if int(s.Cached) != 9*len(nodes) || int(s.Failed) != len(nodes) || s.Message != v1alpha2.MessageImagePullFailed {
		t.Errorf("status %s, message %q", describe(&s), s.Message)
	}
}

// A large image from a slow registry holds up those that its kubelet pulls
// after it, but fails none of them, and nothing is fetched twice.
//
// It cannot give way: a kubelet goes on with a pull when its pod is deleted
// (it calls its runtime without the pod's cancellation, see SyncPod in
// k8s.io/kubernetes/pkg/kubelet/kubelet.go and issue 113606), and pulls one
// image at a time unless serializeImagePulls is off.
func TestSlowImage(t *testing.T) {
	w := newWorld(t, "slow")
	megabytes, rate := 120, 4
	if full() {
		megabytes = 200
	}
	slow := w.push("slow", fmt.Sprintf("%dMB", megabytes))
	small := []string{w.push("a", "1MB"), w.push("b", "1MB"), w.push("c", "1MB")}
	w.rules(lab.Rule{Repository: w.namespace + "/slow", BytesPerSecond: int64(rate) * 1_000_000})

	cache := w.cache("slow", append([]string{slow}, small...), onNode(plainNode))
	began, pull := time.Now(), time.Duration(megabytes/rate)*time.Second
	failed := int32(0)
	w.await(cache, "Succeeded", pull+30*time.Second, func(s *v1alpha2.ImageCacheStatus) bool {
		failed = max(failed, s.Failed)
		return s.Status == v1alpha2.ImageCacheActionStatusSucceeded
	})
	t.Logf("succeeded after %s, of which the slow image took %s", time.Since(began), pull)
	if failed > 0 {
		t.Errorf("%d pairs had failed meanwhile", failed)
	}
	w.holds(plainNode, append(small, slow)...)
	w.fetchedOnce(plainNode)
}

// fetchedOnce fails when the node has asked for any blob more than once.
func (w *world) fetchedOnce(node string) {
	w.Helper()
	for digest, f := range w.fetched(node) {
		if f.requests != 1 {
			w.Errorf("%s asked %d times for %s (%d answers were partial), %d bytes in all", node, f.requests, digest, f.partial, f.bytes)
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
