//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// A controller that is killed in mid-pull and starts again goes on where the
// node is, and nothing is fetched twice.
func TestControllerKilledInMidPull(t *testing.T) {
	w := newWorld(t, "killed")
	row := w.fault("kill -9 of the controller in mid-pull", "it goes on where the nodes are, nothing is fetched twice")
	images := []string{w.push("a", "5MB"), w.push("slow", "60MB"), w.push("b", "5MB")}
	w.rules(lab.Rule{Repository: w.namespace + "/slow", BytesPerSecond: 8_000_000})
	cache := w.cache("killed", images)
	w.await(cache, "pulls", 15*time.Second, func(s *v1alpha2.ImageCacheStatus) bool { return s.Pulling == 6 })
	w.awaitFetching("killed/a")
	killed := w.killController()
	if full() { // and again and again, at other moments
		for range 3 {
			w.awaitRestart(killed)
			killed = w.killController()
		}
	}
	began := time.Now()
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 90*time.Second)
	row.saw("Succeeded %s after the last kill", seconds(time.Since(began)))
	for _, node := range []string{plainNode, backendNode} {
		w.holds(node, images...)
		w.fetchedOnce(node)
	}
}

// awaitRestart waits until another container runs in the place of the killed
// one. Its pod's name is still on the lease, so that it can be found as leader.
func (w *world) awaitRestart(killed string) {
	w.Helper()
	w.check(lab.Poll(w.ctx, "the controller again", 3*time.Minute, func(ctx context.Context) (bool, string) {
		pods, err := controllerPods(ctx)
		if err != nil || len(pods) != 1 || len(pods[0].Status.ContainerStatuses) != 1 {
			return false, fmt.Sprintf("%d pods, error %v", len(pods), err)
		}
		status := pods[0].Status.ContainerStatuses[0]
		return status.State.Running != nil && !strings.HasSuffix(status.ContainerID, killed), fmt.Sprintf("%+v", status)
	}))
}

// awaitFetching waits until both nodes have fetched from the repository.
func (w *world) awaitFetching(repository string) {
	w.Helper()
	w.check(lab.Poll(w.ctx, "fetches of "+repository, 20*time.Second, func(ctx context.Context) (bool, string) {
		requests, err := cluster.Registry.Log(ctx, "e2e-"+repository+"/", w.began)
		nodes := map[string]bool{}
		for _, request := range requests {
			if request.Blob() != "" {
				nodes[request.Client()] = true
			}
		}
		return len(nodes) == 2, fmt.Sprintf("%d requests, error %v", len(requests), err)
	}))
}

// Of two replicas only the leader works, and the other one takes over.
func TestLeaderHandover(t *testing.T) {
	w := newWorld(t, "leader")
	row := w.fault("the leading one of two controllers deleted", "one works at a time, the other one takes over")
	w.configure(func(d *appsv1.Deployment) { d.Spec.Replicas = ptr.To[int32](2) })
	first := w.cache("first", []string{w.push("a", "1MB")})
	w.awaitWord(first, v1alpha2.ImageCacheActionStatusSucceeded, 20*time.Second)
	old := w.leaderNow()
	for _, pod := range w.controllers() {
		works, leads := w.reconciles(pod.Name) > 0, pod.Name == old.Name
		if works != leads {
			t.Errorf("%s reconciles: %v, leads: %v", pod.Name, works, leads)
		}
	}

	w.check(cluster.API.Delete(w.ctx, old))
	began := time.Now()
	second := w.cache("second", []string{w.push("b", "1MB")})
	w.awaitWord(second, v1alpha2.ImageCacheActionStatusSucceeded, 40*time.Second)
	row.saw("the other one had served the next ImageCache after %s", seconds(time.Since(began)))
	if now := w.leaderNow(); now.Name == old.Name {
		t.Errorf("%s still leads", now.Name)
	}
}

func (w *world) leaderNow() *corev1.Pod {
	w.Helper()
	pod, err := leader(w.ctx)
	w.check(err)
	if pod == nil {
		w.Fatal("no controller leads")
	}
	return pod
}

func (w *world) controllers() []corev1.Pod {
	w.Helper()
	pods, err := controllerPods(w.ctx)
	w.check(err)
	return pods
}

// reconciled is a counter of controller-runtime that has counted something.
var reconciled = regexp.MustCompile(`(?m)^controller_runtime_reconcile_total\{.*\} [1-9]`)

// reconciles returns how many of a pod's reconcile counters have counted.
func (w *world) reconciles(pod string) int {
	w.Helper()
	metrics, err := cluster.Kubectl(w.ctx, "get", "--raw",
		"/api/v1/namespaces/"+lab.Namespace+"/pods/"+pod+":8080/proxy/metrics")
	w.check(err)
	return len(reconciled.FindAllString(metrics, -1))
}

// A helper image that cannot be pulled is told apart from the user's images.
func TestHelperImageUnavailable(t *testing.T) {
	w := newWorld(t, "helper")
	row := w.fault("helper image that does not exist", "HelperImageUnavailable, not the user's image's fault")
	w.configure(withHelper("localhost:5000/e2e-helper/none:1"))
	image := w.push("a", "1MB")
	cache := w.cache("helper", []string{image}, onNode(plainNode))
	began := time.Now()
	failure := w.awaitFailure(cache, image, plainNode, v1alpha2.ReasonHelperImageUnavailable, 60*time.Second)
	row.saw("%s after %s: %s", failure.Reason, seconds(time.Since(began)), failure.Message)
	if !strings.Contains(failure.Message, "e2e-helper/none") {
		t.Errorf("the message does not name the helper image: %s", failure.Message)
	}
}

// A quota that forbids the pod is told in the API server's words, and lifting
// it heals.
func TestQuotaForbidsPods(t *testing.T) {
	w := newWorld(t, "quota")
	row := w.fault("quota of no pods", "PodNotCreated in the API server's words; heals when the quota goes")
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "no-pods"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}},
	}
	w.create(quota)
	image := w.push("a", "1MB")
	cache := w.cache("quota", []string{image}, onNode(plainNode))
	began := time.Now()
	failure := w.awaitFailure(cache, image, plainNode, v1alpha2.ReasonPodNotCreated, 40*time.Second)
	row.saw("%s after %s: %s", failure.Reason, seconds(time.Since(began)), failure.Message)
	if !strings.Contains(failure.Message, "exceeded quota: no-pods") {
		t.Errorf("these are not the API server's words: %s", failure.Message)
	}

	w.check(cluster.API.Delete(w.ctx, quota))
	healed := w.await(cache, "heals", 60*time.Second, func(s *v1alpha2.ImageCacheStatus) bool { return s.Cached == 1 && s.Failed == 0 })
	row.saw("cached %s after the quota had gone", seconds(healed))
	w.holds(plainNode, image)
}
