//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// Bounds of the objects, as docs/spec has them.
const (
	maxNodeCache = 512 << 10
	maxStatus    = 256 << 10
)

// Two thousand images on one node fit the record and the status, and then
// nothing more happens, although the node's own list shows five of them: names
// beyond that are cut.
func TestTwoThousandImages(t *testing.T) {
	if !full() {
		t.Skip("five minutes long")
	}
	w := newWorld(t, "many")
	row := w.fault("2,000 tags of one image on a node, of which the node's list shows five", "record and status stay bounded, few verifications, then none")
	const node, count = "packed", 2000
	w.configure(withFlag("--images-per-job=50"))
	w.addNodeWith(node, lab.NodeOptions{Kubelet: map[string]any{"registryPullQPS": 0}})
	var images []string
	for i := range count {
		tag := fmt.Sprintf("v%04d", i)
		w.check(cluster.Registry.PushBare(w.ctx, w.namespace+"/many", tag))
		images = append(images, "quay.io/"+w.namespace+"/many:"+tag)
	}
	cache := w.cache("many", images, onNode(node))
	took := w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 6*time.Minute)
	w.awaitNoJobs(20 * time.Second)
	w.holds(node, images...)
	row.saw("cached after %s, by %d Jobs", seconds(took), w.jobs(node))
	record, status := w.size(w.nodeCache(node)), w.size(cache.Status)
	row.saw("NodeCache %d KiB, status %d KiB", record>>10, status>>10)
	if record > maxNodeCache || status > maxStatus {
		t.Errorf("the NodeCache has %d bytes, the status %d", record, status)
	}
	jobs := w.jobs(node)
	time.Sleep(2 * time.Minute) // records are doubted after one
	looked := w.jobs(node) - jobs
	time.Sleep(30 * time.Second)
	again := w.jobs(node) - jobs - looked
	row.saw("%d verification Jobs in the next two minutes, %d after that", looked, again)
	if looked > count/50 || again > 0 {
		t.Errorf("%d Jobs, then %d", looked, again)
	}
}

// size is the length of a value as the API server keeps it.
func (w *world) size(value any) int {
	w.Helper()
	text, err := json.Marshal(value)
	w.check(err)
	return len(text)
}
