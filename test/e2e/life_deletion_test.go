//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

func withPurge(cache *v1alpha2.ImageCache) { cache.Spec.DeletionPolicy = v1alpha2.DeletionPolicyPurge }

// remove deletes an object, waits until it is gone, and returns how long that took.
func (w *world) remove(object client.Object, limit time.Duration) time.Duration {
	w.Helper()
	began := time.Now()
	w.check(cluster.API.Delete(w.ctx, object))
	w.awaitGone(object, limit)
	return time.Since(began)
}

func (w *world) awaitGone(object client.Object, limit time.Duration) {
	w.Helper()
	w.check(lab.Poll(w.ctx, object.GetName()+" is gone", limit, func(ctx context.Context) (bool, string) {
		err := cluster.API.Get(ctx, client.ObjectKeyFromObject(object), object)
		return apierrors.IsNotFound(err), fmt.Sprintf("finalizers %v, error %v", object.GetFinalizers(), err)
	}))
}

// Retain leaves the images; Purge takes those that nobody else wants, and then
// the object goes; so does a namespace that has such an object.
func TestDeletion(t *testing.T) {
	w := newWorld(t, "deletion")
	log := w.watchJobs()
	own, shared, third := w.push("own", "1KB"), w.push("shared", "1KB"), w.push("third", "1KB")
	retained := w.cache("retained", []string{shared})
	purged := w.cache("purged", []string{own, shared}, withPurge)
	other := w.namespace + "-other"
	w.makeNamespace(other)
	inOther := w.cache("in-other", []string{third}, withPurge, inNamespace(other))
	for _, cache := range []*v1alpha2.ImageCache{retained, purged, inOther} {
		w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 40*time.Second)
	}
	t.Logf("with Purge it was gone after %s", w.remove(purged, 60*time.Second))
	t.Logf("its namespace was gone after %s", w.remove(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: other}}, 60*time.Second))
	for _, node := range []string{plainNode, backendNode} {
		w.exactly(node, 20*time.Second, shared)
		w.counted(log, 1, removes, node, own, third)
	}
	t.Logf("with Retain it was gone after %s", w.remove(retained, 5*time.Second))
	last := w.cache("last", []string{own}) // when it is served, the nodes have looked at their records again
	w.awaitWord(last, v1alpha2.ImageCacheActionStatusSucceeded, 30*time.Second)
	for _, node := range []string{plainNode, backendNode} {
		w.exactly(node, 0, own, shared)
		w.counted(log, 0, removes, node, shared)
	}
}

// scaleController changes the number of controllers and waits for that.
func (w *world) scaleController(replicas int32) {
	w.Helper()
	w.check(scaleController(w.ctx, replicas))
}

func scaleController(ctx context.Context, replicas int32) error {
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: lab.Namespace, Name: lab.ControllerName}}
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	if err := cluster.API.Patch(ctx, deployment, client.RawPatch("application/merge-patch+json", patch)); err != nil {
		return err
	}
	return cluster.AwaitController(ctx)
}

// While no controller runs, an ImageCache is deleted and made again under the
// same name with fewer images. Nobody has said that the others are to go.
func TestRecreatedWhileControllerIsDown(t *testing.T) {
	w := newWorld(t, "recreated")
	log := w.watchJobs()
	images := []string{w.push("a", "1KB"), w.push("b", "1KB"), w.push("c", "1KB")}
	cache := w.cache("same", images)
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 30*time.Second)
	w.Cleanup(func() {
		if err := scaleController(context.Background(), 1); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	w.scaleController(0)
	w.remove(cache, 10*time.Second)
	again := w.cache("same", images[:1])
	w.scaleController(1)
	w.awaitWord(again, v1alpha2.ImageCacheActionStatusSucceeded, 60*time.Second)
	w.status(again, v1alpha2.ImageCacheActionStatusSucceeded, v1alpha2.ImageCacheReasonCreate, v1alpha2.MessageImagesPulled)
	for _, node := range []string{plainNode, backendNode} {
		w.exactly(node, 0, images...)
		w.counted(log, 0, removes, node, images...)
	}
}

// A node whose kubelet is dead does not hold an object that purges on deletion;
// its images go when it is back, though the object is not there any more.
func TestDeletionWithDeadNode(t *testing.T) {
	if !full() {
		t.Skip("full only: a node takes a minute to be given up")
	}
	w := newWorld(t, "dead-node")
	dead, alive := plainNode, backendNode
	if w.leaderNow().Spec.NodeName == dead {
		dead, alive = alive, dead
	}
	image := w.push("a", "1KB")
	cache := w.cache("dead-node", []string{image}, withPurge)
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 30*time.Second)
	_, err := cluster.Run(w.ctx, "stop", "kubelet/"+dead)
	w.check(err)
	w.Cleanup(func() {
		if _, err := cluster.Run(context.Background(), "start", "kubelet/"+dead); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	t.Logf("gone after %s", w.remove(cache, 6*time.Minute))
	w.exactly(alive, 0)
	w.exactly(dead, 0, image)
	_, err = cluster.Run(w.ctx, "start", "kubelet/"+dead)
	w.check(err)
	began := time.Now()
	w.exactly(dead, 4*time.Minute)
	t.Logf("its image was gone %s after the node was back", time.Since(began))
}

// An image in use does not hold the object either, nor a purge that was asked
// for while no controller ran.
func TestDeletionOfWhatIsUsed(t *testing.T) {
	if !full() {
		t.Skip("full only")
	}
	w := newWorld(t, "used")
	used, free := w.push("used", "1KB"), w.push("free", "1KB")
	cache := w.cache("used", []string{used, free}, withPurge, onNode(plainNode))
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 30*time.Second)
	pod := w.podWith(used)
	w.create(pod)
	w.awaitPhase(pod, corev1.PodRunning)
	w.Cleanup(func() {
		if err := scaleController(context.Background(), 1); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	w.scaleController(0)
	w.check(cluster.API.Delete(w.ctx, cache, &client.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)}))
	w.scaleController(1)
	w.awaitGone(cache, 60*time.Second)
	w.exactly(plainNode, 0, used)
	w.check(cluster.API.Delete(w.ctx, pod, client.GracePeriodSeconds(0)))
	w.exactly(plainNode, 2*time.Minute)
}
