//go:build e2e

package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// kill is one component that dies in mid-pull.
type kill struct {
	component string
	// most is how often a blob may be asked for: a pull ends with the kubelet
	// that asked for it and with its containerd, and the next one asks anew.
	most int
	// inCI kills are part of the shorter form.
	inCI bool
}

var kills = []kill{
	{component: lab.Kubelet(plainNode), most: 2, inCI: true},
	{component: lab.Containerd(plainNode), most: 2},
	{component: lab.APIServer, most: 1},
	{component: lab.Etcd, most: 1},
	{component: lab.ControllerManager, most: 1},
}

// Whatever is killed while nodes pull: when it is back everything converges, no
// Job is left, and nothing is fetched that a node has.
func TestKilledInMidPull(t *testing.T) {
	for _, k := range kills {
		if k.inCI || full() {
			t.Run(dashed(k.component), func(t *testing.T) { killInMidPull(t, k) })
		}
	}
}

func killInMidPull(t *testing.T, k kill) {
	w := newWorld(t, "kill-"+dashed(k.component))
	row := w.fault("kill -9 of "+k.component+" in mid-pull, and its start after two seconds",
		"everything is cached, no Job is left, blobs are fetched once per node, by the one whose pull was broken off once more")
	const size = 40_000_000
	images := []string{w.push("a", "5MB"), w.push("slow", "40MB"), w.push("b", "5MB")}
	w.rules(lab.Rule{Repository: w.namespace + "/slow", BytesPerSecond: 8_000_000})
	cache := w.cache("kill", images)
	w.awaitFetching("kill-" + dashed(k.component) + "/slow") // its config has come, its layer is coming
	w.killComponent(k.component, 2*time.Second)
	began := time.Now()
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 3*time.Minute)
	row.saw("Succeeded %s after the start", seconds(time.Since(began)))
	w.awaitNoJobs(30 * time.Second)
	for _, node := range []string{plainNode, backendNode} {
		w.holds(node, images...)
	}
	w.fetchedOnce(backendNode)
	for name, allowed := range map[string]int{"a": 1, "slow": k.most, "b": 1} {
		if most, bytes := w.gets(plainNode, name); most > allowed || bytes > int64(allowed)*(size+1_000_000) {
			t.Errorf("asked %d times for a blob of %s, %d bytes in all", most, name, bytes)
		}
	}
	most, bytes := w.gets(plainNode, "slow")
	row.saw("%s asked %d times for the layer of 40 MB, %.1f MB in all; %d Jobs so far", plainNode, most, float64(bytes)/1e6, w.jobs(plainNode))
}

// killComponent kills it and starts it after a while.
func (w *world) killComponent(component string, after time.Duration) {
	w.Helper()
	w.stopComponent(component)
	time.Sleep(after)
	w.check(cluster.Start(w.ctx, component))
}

// stopComponent kills it, for the scenario at most.
func (w *world) stopComponent(component string) {
	w.Helper()
	w.Cleanup(func() {
		if err := cluster.Start(context.Background(), component); err != nil {
			w.Errorf("clean up: %v", err)
		}
	})
	w.check(cluster.Kill(w.ctx, component))
}
