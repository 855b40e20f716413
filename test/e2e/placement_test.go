//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// A node that joins later has its images within 20 seconds of being ready,
// without any refresh: ten in one Job, though the helper image is the eleventh
// and a kubelet starts ten pulls in a burst.
func TestNodeAddedLater(t *testing.T) {
	w := newWorld(t, "joins")
	row := w.fault("node joins later", "ten images within 20 s of being ready, in one Job")
	var images []string
	for i := range 10 {
		images = append(images, w.push(fmt.Sprintf("tiny-%d", i), "1KB"))
	}
	cache := w.cache("joins", images)
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 40*time.Second)

	w.addNode("latecomer")
	w.awaitImages("latecomer", 20*time.Second, images...)
	took := time.Since(readySince(w.node("latecomer")))
	row.saw("the images were there %s after the node was ready", seconds(took))
	if took > 20*time.Second {
		t.Errorf("images %s after the node was ready, want 20s", took)
	}
	w.await(cache, "30 of 30", 10*time.Second, func(s *v1alpha2.ImageCacheStatus) bool { return s.Progress == "30/30" })
	row.saw("it took %d Jobs", w.jobs("latecomer"))
}

// Names as long as the API server allows are no trouble.
func TestLongNames(t *testing.T) {
	w := newWorld(t, "names")
	node := strings.Repeat("long-node.", 21) + "end" // 213 characters
	w.addNode(node)
	image := w.push("a", "1MB")
	cache := w.cache(strings.Repeat("c", 253), []string{image})
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 60*time.Second)
	for _, name := range []string{plainNode, backendNode, node} {
		w.holds(name, image)
	}
	if cache.Status.Progress != "3/3" {
		t.Errorf("status %s", describe(&cache.Status))
	}
}

// Labels decide at once where images go.
func TestLabelChange(t *testing.T) {
	w := newWorld(t, "labels")
	row := w.fault("label that selects a node", "its images come at once")
	image := w.push("a", "1MB")
	cache := w.cache("labels", []string{image}, withSelector(map[string]string{"e2e": "wanted"}))
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusNoImagesPulledOrDeleted, 10*time.Second)
	if cache.Status.Message != v1alpha2.MessageNoNodesMatched {
		t.Errorf("message %q", cache.Status.Message)
	}

	w.changeNode(plainNode,
		func(n *corev1.Node) { n.Labels["e2e"] = "wanted" },
		func(n *corev1.Node) { delete(n.Labels, "e2e") })
	began := time.Now()
	w.awaitImages(plainNode, 10*time.Second, image)
	row.saw("the image was there %s after the label", seconds(time.Since(began)))
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 10*time.Second)
	w.lacks(backendNode, image)
}

// A cordoned node waits, says why, and is served after uncordon.
func TestCordon(t *testing.T) {
	w := newWorld(t, "cordon")
	row := w.fault("node cordoned", "it waits, reason Unschedulable, and holds nobody up; images come after uncordon")
	uncordon := func(n *corev1.Node) { n.Spec.Unschedulable = false }
	w.changeNode(plainNode, func(n *corev1.Node) { n.Spec.Unschedulable = true }, uncordon)
	image := w.push("a", "1MB")
	cache := w.cache("cordon", []string{image})
	w.await(cache, "waits for the cordoned node", 15*time.Second, func(s *v1alpha2.ImageCacheStatus) bool {
		return s.Status == v1alpha2.ImageCacheActionStatusSucceeded && s.Cached == 1 && s.Waiting == 1 &&
			s.Nodes.WaitingReasons[v1alpha2.WaitingUnschedulable] == 1
	})
	w.holds(backendNode, image)
	w.lacks(plainNode, image)

	w.check(patchNode(w.ctx, plainNode, uncordon))
	began := time.Now()
	w.awaitImages(plainNode, 15*time.Second, image)
	row.saw("waited; the image was there %s after uncordon", seconds(time.Since(began)))
	w.await(cache, "2 of 2", 10*time.Second, func(s *v1alpha2.ImageCacheStatus) bool { return s.Cached == 2 && s.Waiting == 0 })
}

// A taint that the ImageCache does not tolerate keeps its images away until
// it is gone; without tolerations it does not.
func TestTaints(t *testing.T) {
	w := newWorld(t, "taints")
	row := w.fault("taint that one of two ImageCaches does not tolerate", "its node waits, reason TaintNotTolerated; the other ImageCache is served")
	taint := corev1.Taint{Key: "e2e", Value: "dedicated", Effect: corev1.TaintEffectNoSchedule}
	untaint := func(n *corev1.Node) {
		n.Spec.Taints = slices.DeleteFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Key == "e2e" })
	}
	w.changeNode(plainNode, func(n *corev1.Node) { n.Spec.Taints = append(n.Spec.Taints, taint) }, untaint)

	open, shy := w.push("open", "1MB"), w.push("shy", "1MB")
	tolerant := w.cache("open", []string{open})
	picky := w.cache("shy", []string{shy}, func(cache *v1alpha2.ImageCache) {
		cache.Spec.Tolerations = []corev1.Toleration{{Key: "other", Operator: corev1.TolerationOpExists}}
	})
	w.awaitWord(tolerant, v1alpha2.ImageCacheActionStatusSucceeded, 20*time.Second)
	w.holds(plainNode, open)
	w.await(picky, "waits for the tainted node", 20*time.Second, func(s *v1alpha2.ImageCacheStatus) bool {
		return s.Cached == 1 && s.Nodes.WaitingReasons[v1alpha2.WaitingTaint] == 1
	})
	w.lacks(plainNode, shy)

	w.check(patchNode(w.ctx, plainNode, untaint))
	began := time.Now()
	w.awaitImages(plainNode, 15*time.Second, shy)
	row.saw("waited; the image was there %s after the taint was gone", seconds(time.Since(began)))
	w.await(picky, "2 of 2", 10*time.Second, func(s *v1alpha2.ImageCacheStatus) bool { return s.Cached == 2 })
}

// A selector that matches no node is told, and nothing is pulled.
func TestSelectorMatchesNothing(t *testing.T) {
	w := newWorld(t, "nothing")
	image := w.push("a", "1MB")
	cache := w.cache("nothing", []string{image}, withSelector(map[string]string{"no": "such"}))
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusNoImagesPulledOrDeleted, 10*time.Second)
	w.lacks(plainNode, image)
	w.lacks(backendNode, image)
}
