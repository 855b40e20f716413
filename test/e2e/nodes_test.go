//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// holds fails unless the node's runtime lists all the images.
func (w *world) holds(node string, images ...string) {
	w.Helper()
	runtime, err := cluster.Runtime(w.ctx, node)
	w.check(err)
	missing, err := runtime.Missing(w.ctx, images...)
	w.check(err)
	if len(missing) > 0 {
		w.Errorf("the runtime of %s does not list %s", node, strings.Join(missing, ", "))
	}
}

// lacks fails if the node's runtime lists any of the images.
func (w *world) lacks(node string, images ...string) {
	w.Helper()
	runtime, err := cluster.Runtime(w.ctx, node)
	w.check(err)
	missing, err := runtime.Missing(w.ctx, images...)
	w.check(err)
	if len(missing) < len(images) {
		w.Errorf("the runtime of %s lists some of %s", node, strings.Join(images, ", "))
	}
}

// awaitImages waits until the node's runtime lists all the images.
func (w *world) awaitImages(node string, limit time.Duration, images ...string) {
	w.Helper()
	runtime, err := cluster.Runtime(w.ctx, node)
	w.check(err)
	w.check(lab.Poll(w.ctx, "images on "+node, limit, func(ctx context.Context) (bool, string) {
		missing, err := runtime.Missing(ctx, images...)
		return err == nil && len(missing) == 0, fmt.Sprintf("missing %v, error %v", missing, err)
	}))
}

// addNode adds a node until the scenario ends.
func (w *world) addNode(name string, flags ...string) {
	w.Helper()
	w.removeNodeLater(name)
	w.check(cluster.AddNode(w.ctx, name, flags...))
}

// addNodeWith adds a node that differs from others until the scenario ends.
func (w *world) addNodeWith(name string, options lab.NodeOptions) {
	w.Helper()
	w.removeNodeLater(name)
	w.check(cluster.AddNodeWith(w.ctx, name, options))
}

// removeNodeLater removes the node at the end, unless the scenario has.
func (w *world) removeNodeLater(name string) {
	w.Cleanup(func() {
		if err := cluster.RemoveNode(context.Background(), name); err != nil && !strings.Contains(err.Error(), "there is no node") {
			w.Errorf("clean up: %v", err)
		}
	})
}

func (w *world) node(name string) *corev1.Node {
	w.Helper()
	var node corev1.Node
	w.check(cluster.API.Get(w.ctx, client.ObjectKey{Name: name}, &node))
	return &node
}

// changeNode changes a Node and, at the end of the scenario, changes it back.
func (w *world) changeNode(name string, change, back func(*corev1.Node)) {
	w.Helper()
	w.check(patchNode(w.ctx, name, change))
	w.Cleanup(func() {
		if err := patchNode(context.Background(), name, back); err != nil {
			w.Errorf("clean up: %v", err)
		}
	})
}

func patchNode(ctx context.Context, name string, change func(*corev1.Node)) error {
	var node corev1.Node
	if err := cluster.API.Get(ctx, client.ObjectKey{Name: name}, &node); err != nil {
		return err
	}
	before := client.MergeFrom(node.DeepCopy())
	change(&node)
	return cluster.API.Patch(ctx, &node, before)
}

// readySince is when the node became ready, as the node controller dates it.
func readySince(node *corev1.Node) time.Time {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
			return condition.LastTransitionTime.Time
		}
	}
	return time.Time{}
}

func address(node *corev1.Node) string {
	for _, a := range node.Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			return a.Address
		}
	}
	return ""
}

// fetches is what one node fetched of one blob.
type fetches struct {
	requests, partial int
	bytes             int64
}

// fetched sums up what a node has fetched of this scenario's blobs.
func (w *world) fetched(node string) map[string]fetches {
	w.Helper()
	requests, err := cluster.Registry.Log(w.ctx, w.namespace+"/", w.began)
	w.check(err)
	from, blobs := address(w.node(node)), map[string]fetches{}
	for _, request := range requests {
		if digest := request.Blob(); digest != "" && request.Client() == from {
			f := blobs[digest]
			f.requests, f.bytes = f.requests+1, f.bytes+request.Bytes
			if request.Status == 206 {
				f.partial++
			}
			blobs[digest] = f
		}
	}
	return blobs
}

// awaitAbsent waits until the node's runtime lists none of the images.
func (w *world) awaitAbsent(node string, limit time.Duration, images ...string) {
	w.Helper()
	runtime, err := cluster.Runtime(w.ctx, node)
	w.check(err)
	w.check(lab.Poll(w.ctx, "no images on "+node, limit, func(ctx context.Context) (bool, string) {
		missing, err := runtime.Missing(ctx, images...)
		return err == nil && len(missing) == len(images), fmt.Sprintf("missing %v, error %v", missing, err)
	}))
}

// awaitCondition waits until the Node's condition is true.
func (w *world) awaitCondition(name string, condition corev1.NodeConditionType, limit time.Duration) {
	w.Helper()
	w.check(lab.Poll(w.ctx, name+" "+string(condition), limit, func(context.Context) (bool, string) {
		conditions := w.node(name).Status.Conditions
		return slices.ContainsFunc(conditions, func(c corev1.NodeCondition) bool {
			return c.Type == condition && c.Status == corev1.ConditionTrue
		}), fmt.Sprint(conditions)
	}))
}
