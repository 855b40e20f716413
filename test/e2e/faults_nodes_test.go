//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// A node that leaves in mid-pull takes its record, its Jobs and its share of
// the status with it.
func TestNodeLeavesInMidPull(t *testing.T) {
	if !full() {
		t.Skip("half a minute long")
	}
	w := newWorld(t, "leaves")
	row := w.fault("node removed in mid-pull", "its record and Jobs go, the ImageCache succeeds on the others")
	const node = "leaver"
	w.addNode(node)
	images := []string{w.push("a", "1MB"), w.push("slow", "30MB")}
	w.rules(lab.Rule{Repository: w.namespace + "/slow", BytesPerSecond: 3_000_000})
	cache := w.cache("leaves", images)
	w.await(cache, "pulls on three nodes", 15*time.Second, func(s *v1alpha2.ImageCacheStatus) bool { return s.Pulling == 6 })
	w.check(cluster.RemoveNode(w.ctx, node))
	began := time.Now()
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, time.Minute)
	row.saw("Succeeded with %s, %s after the node was gone", cache.Status.Progress, seconds(time.Since(began)))
	if cache.Status.Progress != "4/4" || cache.Status.Nodes.Selected != 2 {
		t.Errorf("status %s, %d nodes", describe(&cache.Status), cache.Status.Nodes.Selected)
	}
	w.awaitNoJobs(30 * time.Second)
	w.check(lab.Poll(w.ctx, "the end of the record", 30*time.Second, func(context.Context) (bool, string) {
		return w.nodeCache(node) == nil, "it is still there"
	}))
}

// A node that is replaced under its name is another node.
func TestNodeReplaced(t *testing.T) {
	w := newWorld(t, "replaced")
	row := w.fault("node removed and another one added under its name", "its images are pulled anew, nothing is believed of the old one")
	const node = "twin"
	w.addNode(node)
	image := w.push("a", "1MB")
	cache := w.cache("replaced", []string{image}, onNode(node))
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 30*time.Second)
	old := w.node(node).UID
	w.check(cluster.RemoveNode(w.ctx, node))
	w.check(cluster.AddNode(w.ctx, node))
	ready := readySince(w.node(node))
	w.awaitImages(node, 30*time.Second, image)
	row.saw("the image was there %s after the new node was ready", seconds(time.Since(ready)))
	w.await(cache, "1 of 1", 20*time.Second, func(s *v1alpha2.ImageCacheStatus) bool { return s.Cached == 1 })
	if record := w.nodeCache(node); record.Status.NodeUID == old || record.Status.NodeUID != w.node(node).UID {
		t.Errorf("the record is of %s, the node was %s and is %s", record.Status.NodeUID, old, w.node(node).UID)
	}
}

// A node that an autoscaler is about to remove gets nothing new.
func TestAutoscalerDrains(t *testing.T) {
	w := newWorld(t, "drained")
	row := w.fault("taint ToBeDeletedByClusterAutoscaler", "the node waits, reason Deleting; images come when the taint goes")
	taint := corev1.Taint{Key: "ToBeDeletedByClusterAutoscaler", Effect: corev1.TaintEffectNoSchedule}
	untaint := func(n *corev1.Node) {
		n.Spec.Taints = slices.DeleteFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Key == taint.Key })
	}
	w.changeNode(plainNode, func(n *corev1.Node) { n.Spec.Taints = append(n.Spec.Taints, taint) }, untaint)
	image := w.push("a", "1MB")
	cache := w.cache("drained", []string{image})
	w.awaitWaiting(cache, v1alpha2.WaitingDeleting, 20*time.Second)
	w.holds(backendNode, image)
	w.lacks(plainNode, image)
	if most, _ := w.gets(plainNode, "a"); most != 0 {
		t.Errorf("the node has fetched all the same")
	}
	w.check(patchNode(w.ctx, plainNode, untaint))
	began := time.Now()
	w.awaitImages(plainNode, 15*time.Second, image)
	row.saw("waited; the image was there %s after the taint was gone", seconds(time.Since(began)))
}

// awaitWaiting waits until one node waits for the reason and the others have
// their images.
func (w *world) awaitWaiting(cache *v1alpha2.ImageCache, reason string, limit time.Duration) time.Duration {
	w.Helper()
	return w.await(cache, "waits: "+reason, limit, func(s *v1alpha2.ImageCacheStatus) bool {
		return s.Nodes.WaitingReasons[reason] == 1 && s.Waiting > 0 && s.Cached+s.Waiting == s.Desired
	})
}

// An image that has nothing for the node's platform is told so.
func TestPlatformMismatch(t *testing.T) {
	w := newWorld(t, "platform")
	row := w.fault("image index for s390x only", "PlatformMismatch in the runtime's words; the other image comes")
	w.check(cluster.Registry.PushForeign(w.ctx, w.namespace+"/foreign", "1"))
	foreign, good := "quay.io/"+w.namespace+"/foreign:1", w.push("good", "1MB")
	cache := w.cache("platform", []string{foreign, good}, onNode(plainNode))
	failure := w.awaitFailure(cache, foreign, plainNode, v1alpha2.ReasonPlatformMismatch, 30*time.Second)
	row.saw("%s: %s", failure.Reason, failure.Message)
	w.awaitImages(plainNode, 20*time.Second, good)
	w.lacks(plainNode, foreign)
}

// A kubelet that has no room for another pod is left alone for a while, and its
// refusals are no failures of images.
func TestNoPodSlots(t *testing.T) {
	if !full() {
		t.Skip("a minute long")
	}
	w := newWorld(t, "slots")
	row := w.fault("node with maxPods 1, and a pod on it", "the node waits, reason PodRefused, few Jobs; images come when there is room")
	const node = "tight"
	w.addNodeWith(node, lab.NodeOptions{Kubelet: map[string]any{"maxPods": 1}})
	pod := w.podWith("registry.k8s.io/pause:3.10.1")
	pod.Name, pod.Spec.NodeName = "occupant", node
	pod.Spec.Volumes, pod.Spec.Containers[0].VolumeMounts = nil, nil
	w.create(pod)
	w.awaitPhase(pod, corev1.PodRunning)
	image := w.push("a", "1MB")
	cache := w.cache("slots", []string{image})
	took := w.awaitWaiting(cache, v1alpha2.WaitingPodRefused, 40*time.Second)
	row.saw("told after %s: %s", seconds(took), w.nodeCache(node).Status.Wait.Message)
	time.Sleep(20 * time.Second)
	if jobs := w.jobs(node); cache.Status.Failed > 0 || jobs > 2 {
		t.Errorf("%d pairs failed, %d Jobs", cache.Status.Failed, jobs)
	}
	w.check(cluster.API.Delete(w.ctx, pod, client.GracePeriodSeconds(0)))
	began := time.Now()
	w.awaitImages(node, 90*time.Second, image)
	row.saw("the image was there %s after the pod had gone, by Job %d", seconds(time.Since(began)), w.jobs(node)+1)
}

// A node whose kubelet is away for longer than its lease waits. What it has is
// not fetched again; the pull that ended with the kubelet is made once more.
func TestNodeNotReady(t *testing.T) {
	if !full() {
		t.Skip("two minutes long")
	}
	w := newWorld(t, "notready")
	row := w.fault("kubelet stopped in mid-pull, for longer than its lease", "the node waits, reason NotReady; the others go on; only what was broken off is fetched again when it is back")
	images := []string{w.push("a", "1MB"), w.push("slow", "40MB")}
	w.rules(lab.Rule{Repository: w.namespace + "/slow", BytesPerSecond: 4_000_000})
	cache := w.cache("notready", images)
	w.awaitFetching("notready/a")
	w.stopComponent("kubelet/" + plainNode)
	began := time.Now()
	w.awaitWaiting(cache, v1alpha2.WaitingNotReady, 2*time.Minute)
	row.saw("waits %s after the kubelet was killed, status %s", seconds(time.Since(began)), cache.Status.Status)
	late := w.push("late", "1MB")
	second := w.cache("late", []string{late})
	w.awaitWaiting(second, v1alpha2.WaitingNotReady, 30*time.Second)
	if second.Status.Status != v1alpha2.ImageCacheActionStatusSucceeded {
		t.Errorf("status %s", describe(&second.Status))
	}
	w.lacks(plainNode, late)
	time.Sleep(30 * time.Second)
	w.check(cluster.Start(w.ctx, lab.Kubelet(plainNode)))
	began = time.Now()
	for _, cache := range []*v1alpha2.ImageCache{cache, second} {
		w.await(cache, "all", 90*time.Second, func(s *v1alpha2.ImageCacheStatus) bool { return s.Cached == s.Desired })
	}
	row.saw("all cached %s after its start", seconds(time.Since(began)))
	w.holds(plainNode, append(images, late)...)
	for name, allowed := range map[string]int{"a": 1, "slow": 2, "late": 1} {
		if most, bytes := w.gets(plainNode, name); most > allowed {
			t.Errorf("asked %d times for a blob of %s, %d bytes in all", most, name, bytes)
		}
	}
	w.awaitNoJobs(30 * time.Second)
}

// A namespace that is deleted in mid-pull leaves no Job behind, its nodes are
// free for others, and the controller does not fight with the API server.
func TestNamespaceDeletedInMidPull(t *testing.T) {
	w := newWorld(t, "deleted")
	row := w.fault("namespace deleted in mid-pull", "no Job is left, nodes are free for others, few refused requests")
	other := w.namespace + "-goes"
	w.makeNamespace(other)
	doomed := w.cache("doomed", []string{w.push("a", "1MB"), w.push("slow", "40MB")}, inNamespace(other))
	w.rules(lab.Rule{Repository: w.namespace + "/slow", BytesPerSecond: 5_000_000})
	w.awaitFetching("deleted/a")
	before := w.apiRequests()
	namespace := &corev1.Namespace{}
	namespace.Name = other
	w.check(cluster.API.Delete(w.ctx, namespace))
	began := time.Now()
	image := w.push("b", "1MB")
	cache := w.cache("stays", []string{image})
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, time.Minute)
	row.saw("another namespace's ImageCache succeeded %s after the deletion", seconds(time.Since(began)))
	w.check(lab.Poll(w.ctx, "the namespace's end", time.Minute, func(ctx context.Context) (bool, string) {
		err := cluster.API.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)
		return apierrors.IsNotFound(err), fmt.Sprintf("%v, error %v", namespace.Status.Conditions, err)
	}))
	row.saw("the namespace was gone after %s", seconds(time.Since(began)))
	time.Sleep(5 * time.Second) // a loop would show by now
	refused := w.apiRequests().since(before).refused()
	row.saw("%d requests of the controller were refused meanwhile", refused)
	if refused > 10 {
		t.Errorf("%d requests were refused: %v", refused, w.apiRequests().since(before))
	}
	if err := cluster.API.Get(w.ctx, client.ObjectKeyFromObject(doomed), doomed); !apierrors.IsNotFound(err) {
		t.Errorf("the ImageCache: %v", err)
	}
	w.noClaimOf(doomed)
}

// noClaimOf fails when a node's record still has a claim of the ImageCache.
func (w *world) noClaimOf(cache *v1alpha2.ImageCache) {
	w.Helper()
	for _, node := range []string{plainNode, backendNode} {
		if record := w.nodeCache(node); record != nil && slices.ContainsFunc(record.Status.Claims, func(c v1alpha2.Claim) bool { return c.Namespace == cache.Namespace }) {
			w.Errorf("%s: claims %+v", node, record.Status.Claims)
		}
	}
}

// A runtime that loses all its images gets them back. Nobody tells us: the
// node's own list is up to 40 seconds old, and a record is doubted after a
// minute.
func TestRuntimeWiped(t *testing.T) {
	if !full() {
		t.Skip("two minutes long")
	}
	w := newWorld(t, "wiped")
	row := w.fault("runtime wiped behind the kubelet's back", "noticed by the node's own list within about two minutes; images come back, fetched once more")
	const node = "wiped"
	w.addNode(node)
	images := []string{w.push("a", "1MB"), w.push("b", "1MB")}
	cache := w.cache("wiped", images, onNode(node))
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 30*time.Second)
	w.check(cluster.WipeNode(w.ctx, node))
	began := time.Now()
	w.lacks(node, images...)
	w.awaitImages(node, 4*time.Minute, images...)
	took := time.Since(began)
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 30*time.Second)
	w.awaitNoJobs(30 * time.Second)
	most, _ := w.gets(node, "a")
	row.saw("back after %s, by %d Jobs in all; a blob was asked for %d times", seconds(took), w.jobs(node), most)
	if took > 150*time.Second || most != 2 || w.jobs(node) > 4 {
		t.Errorf("back after %s, %d requests, %d Jobs", took, most, w.jobs(node))
	}
}

// A node that loses its label for less than the grace keeps its images, and
// nothing happens when the label is back; for longer, they are removed.
func TestLabelLostAndFound(t *testing.T) {
	if !full() {
		t.Skip("a minute long")
	}
	w := newWorld(t, "renamed")
	row := w.fault("label that selects the node taken away, given back within the grace of 20 s, taken away for good", "first nothing happens, then the image is removed")
	w.configure(withFlag("--unselected-grace=20s"))
	label := func(n *corev1.Node) { n.Labels["e2e"] = "renamed" }
	unlabel := func(n *corev1.Node) { delete(n.Labels, "e2e") }
	w.changeNode(plainNode, label, unlabel)
	image := w.push("a", "1MB")
	cache := w.cache("renamed", []string{image}, withSelector(map[string]string{"e2e": "renamed"}))
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 30*time.Second)
	w.awaitNoJobs(20 * time.Second)
	jobs := w.jobs(plainNode)
	w.check(patchNode(w.ctx, plainNode, unlabel))
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusNoImagesPulledOrDeleted, 15*time.Second)
	time.Sleep(8 * time.Second)
	w.check(patchNode(w.ctx, plainNode, label))
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 15*time.Second)
	time.Sleep(20 * time.Second)
	w.holds(plainNode, image)
	row.saw("%d Jobs while the label was away and after it was back", w.jobs(plainNode)-jobs)
	if now := w.jobs(plainNode); now != jobs {
		t.Errorf("%d Jobs for nothing", now-jobs)
	}
	w.fetchedOnce(plainNode)
	w.check(patchNode(w.ctx, plainNode, unlabel))
	began := time.Now()
	w.awaitAbsent(plainNode, time.Minute, image)
	row.saw("removed %s after it was taken away for good", seconds(time.Since(began)))
	if took := time.Since(began); took < 19*time.Second {
		t.Errorf("removed after %s, the grace is 20 s", took)
	}
}
