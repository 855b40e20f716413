//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// An image that vanishes behind our back is missed in the node's own list,
// looked for without a registry, and pulled again. The list is up to 40 seconds
// old, and a record must be a minute old before it is doubted.
func TestVanishedImageComesBack(t *testing.T) {
	if !full() {
		t.Skip("full only: takes one to two minutes")
	}
	w := newWorld(t, "noticed")
	log := w.watchJobs()
	// A node of its own: the list of one with fifty images says nothing.
	const node = "vanishing"
	w.addNode(node)
	gone, there := w.push("gone", "1KB"), w.push("there", "1KB")
	cache := w.cache("noticed", []string{gone, there}, onNode(node))
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 30*time.Second)
	runtime, err := cluster.Runtime(w.ctx, node)
	w.check(err)
	for round := int32(1); round <= 2; round++ {
		since := time.Now()
		w.check(runtime.Remove(w.ctx, gone))
		w.exactly(node, 0, there)
		w.exactly(node, 4*time.Minute, gone, there)
		t.Logf("round %d: it was there again after %s", round, time.Since(since))
		w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 20*time.Second)
		if rec := w.record(node, gone); rec.Vanished != round {
			t.Errorf("round %d: the record %+v", round, rec)
		}
		if requests := w.asked(node, there, since); len(requests) > 0 {
			t.Errorf("round %d: an image that is there was asked for: %+v", round, requests)
		}
	}
	w.counted(log, 3, pulls, node, gone)
	w.counted(log, 1, pulls, node, there)
}

// A kubelet that reports five images only says nothing about the others: they
// are looked for once, and that is noted. No registry is asked.
func TestShortImageList(t *testing.T) {
	if !full() {
		t.Skip("full only: takes three minutes")
	}
	w := newWorld(t, "short-list")
	log := w.watchJobs()
	const node = "short-list"
	config := filepath.Join(t.TempDir(), "kubelet.yaml")
	w.check(os.WriteFile(config, []byte("nodeStatusMaxImages: 5\n"), 0o600))
	w.addNode(node, "--kubelet-config="+config)
	var images []string
	for i := range 12 {
		images = append(images, w.push(fmt.Sprintf("tiny-%d", i), "1KB"))
	}
	cache := w.cache("short-list", images, onNode(node))
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 40*time.Second)
	since := time.Now()
	var record v1alpha2.NodeCache
	w.check(lab.Poll(w.ctx, "the length of the list is known to mean nothing", 3*time.Minute, func(ctx context.Context) (bool, string) {
		err := cluster.API.Get(ctx, client.ObjectKey{Name: node}, &record)
		return err == nil && record.Status.ListLimit != nil, fmt.Sprint(err)
	}))
	t.Logf("learned %d after %s", *record.Status.ListLimit, time.Since(since))
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 20*time.Second)
	for _, image := range images {
		if requests := w.asked(node, image, since); len(requests) > 0 {
			t.Errorf("%s was asked for: %+v", image, requests)
		}
		if got := len(log.with(verifies, node, image)); got > 1 {
			t.Errorf("%d verifications of %s", got, image)
		}
	}
	w.counted(log, 1, pulls, node, images...)
}
