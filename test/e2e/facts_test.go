//go:build e2e && full

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// The scenarios of this file find out facts that the design rests on. They are
// no promises of ours; when one changes, the design may be made better.

// A kubelet goes on with a pull when its pod is deleted.
func TestFactKubeletGoesOnPulling(t *testing.T) {
	w := newFact(t, "deleted")
	image := w.push("blob", "40MB")
	w.rules(lab.Rule{Repository: w.namespace, BytesPerSecond: 4_000_000})
	pod := w.podWith(image)
	w.create(pod)
	time.Sleep(4 * time.Second)
	w.check(cluster.API.Delete(w.ctx, pod, client.GracePeriodSeconds(1)))
	began := time.Now()
	w.check(lab.Poll(w.ctx, "the pod's end", time.Minute, func(ctx context.Context) (bool, string) {
		err := cluster.API.Get(ctx, client.ObjectKeyFromObject(pod), pod)
		return client.IgnoreNotFound(err) == nil && err != nil, string(pod.Status.Phase)
	}))
	t.Logf("the pod was gone %s after its deletion", time.Since(began))
	w.holds(plainNode, image)
	w.fetchedOnce(plainNode)
}

// containerd keeps the part of a blob that it had when a pull was canceled,
// and asks for the rest.
func TestFactRuntimeResumes(t *testing.T) {
	w := newFact(t, "canceled")
	image := w.push("blob", "40MB")
	w.rules(lab.Rule{Repository: w.namespace, BytesPerSecond: 4_000_000})
	runtime, err := cluster.Runtime(w.ctx, plainNode)
	w.check(err)
	short, cancel := context.WithTimeout(w.ctx, 6*time.Second)
	defer cancel()
	if err := runtime.Pull(short, image); err == nil {
		t.Fatal("40 MB came in 6 seconds at 4 MB/s")
	}
	w.check(runtime.Pull(w.ctx, image))
	seen, resumed := "", false
	for digest, f := range w.fetched(plainNode) {
		seen += fmt.Sprintf("%.19s: %d requests, %d answers were partial, %d bytes in all\n", digest, f.requests, f.partial, f.bytes)
		resumed = resumed || f.partial == 1
	}
	t.Log(seen)
	if !resumed {
		t.Error("nothing was resumed")
	}
}

func newFact(t *testing.T, name string) *world {
	t.Helper()
	return newWorld(t, name)
}
