//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// A failure is told while others of the same Job are still being pulled: the
// pod's status shows nothing until the last of them is done.
func TestMissingImageIsToldEarly(t *testing.T) {
	w := newWorld(t, "early")
	images := []string{w.missing("gone")}
	for i := range 5 {
		images = append(images, w.push(fmt.Sprintf("steady-%d", i), "12MB"))
	}
	w.rules(lab.Rule{Repository: w.namespace, BytesPerSecond: 2_000_000}) // thirty seconds in all
	cache := w.cache("early", images, onNode(plainNode))
	began := time.Now()
	w.awaitFailure(cache, images[0], plainNode, v1alpha2.ReasonImageNotFound, 20*time.Second)
	t.Logf("told after %s, with %d cached", time.Since(began), cache.Status.Cached)
	if cache.Status.Cached != 0 {
		t.Errorf("%d images were cached before", cache.Status.Cached)
	}
	w.await(cache, "the others are cached", 45*time.Second, func(s *v1alpha2.ImageCacheStatus) bool { return s.Cached == 5 && s.Failed == 1 })
	w.holds(plainNode, images[1:]...)
	w.fetchedOnce(plainNode)
}

// A large image from a slow registry fails nothing, and what its kubelet has
// pulled before it is cached while it still pulls. What comes after it waits
// for it, because kubelets pull one image at a time by default and go on with a
// pull when its pod is deleted (SyncPod in k8s.io/kubernetes/pkg/kubelet/kubelet.go
// calls the runtime without the pod's cancellation).
func TestSlowImage(t *testing.T) {
	w := newWorld(t, "slow")
	slow, seconds := w.slowImage()
	before := []string{w.push("a", "1MB"), w.push("b", "1MB")}
	after := []string{w.push("c", "1MB")}
	cache := w.cache("slow", slices.Concat(before, []string{slow}, after), onNode(plainNode))
	w.passesBy(cache, 2, seconds)
	w.holds(plainNode, before...)
	w.settles(cache, seconds)
	w.holds(plainNode, slices.Concat(before, after, []string{slow})...)
	w.fetchedOnce(plainNode)
}

// On a kubelet that pulls in parallel all others pass a slow image, also those
// that come after it.
func TestSlowImageOnParallelKubelet(t *testing.T) {
	w := newWorld(t, "parallel")
	config := filepath.Join(t.TempDir(), "kubelet.yaml")
	w.check(os.WriteFile(config, []byte("serializeImagePulls: false\nmaxParallelImagePulls: 5\n"), 0o600))
	const node = "parallel"
	w.addNode(node, "--kubelet-config="+config)
	slow, seconds := w.slowImage()
	others := []string{w.push("a", "1MB"), w.push("b", "1MB"), w.push("c", "1MB")}
	cache := w.cache("slow", append([]string{slow}, others...), onNode(node))
	w.passesBy(cache, 3, seconds)
	w.holds(node, others...)
	w.lacks(node, slow)
	w.settles(cache, seconds)
	w.holds(node, slow)
	w.fetchedOnce(node)
}

// slowImage pushes a large image to a throttled repository and returns how
// long its pull takes.
func (w *world) slowImage() (image string, takes time.Duration) {
	w.Helper()
	megabytes, rate := 160, 4
	if full() {
		megabytes = 240
	}
	image = w.push("slow", fmt.Sprintf("%dMB", megabytes))
	w.rules(lab.Rule{Repository: w.namespace + "/slow", BytesPerSecond: int64(rate) * 1_000_000})
	return image, time.Duration(megabytes/rate) * time.Second
}

// passesBy waits until so many others are cached while the slow image pulls.
func (w *world) passesBy(cache *v1alpha2.ImageCache, others int32, slow time.Duration) {
	w.Helper()
	began := time.Now()
	w.await(cache, fmt.Sprintf("%d cached beside the slow one", others), slow-5*time.Second, func(s *v1alpha2.ImageCacheStatus) bool {
		return s.Cached == others && s.Pulling > 0
	})
	w.Logf("%d others were cached after %s, the slow image takes %s", others, time.Since(began), slow)
}

// settles waits until everything is cached; nothing may fail meanwhile.
func (w *world) settles(cache *v1alpha2.ImageCache, slow time.Duration) {
	w.Helper()
	failed := int32(0)
	w.await(cache, "Succeeded", slow+30*time.Second, func(s *v1alpha2.ImageCacheStatus) bool {
		failed = max(failed, s.Failed)
		return s.Status == v1alpha2.ImageCacheActionStatusSucceeded
	})
	if failed > 0 {
		w.Errorf("%d pairs had failed meanwhile", failed)
	}
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
