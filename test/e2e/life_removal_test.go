//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// Names that a container runtime cannot tell apart: two tags of one digest, two
// repositories with one digest, two artifacts with equal config. Those of one
// ImageCache stay while another one wants the others, and all go in the end.
func TestRemovalOfSharedImages(t *testing.T) {
	w := newWorld(t, "shared")
	named := func(name string) string { return "quay.io/" + w.namespace + "/" + name }
	ours := []string{named("tags:1"), named("left:1"), named("artifact-1:1")}
	theirs := []string{named("tags:2"), named("right:1"), named("artifact-2:1")}
	for i, images := range [][]string{ours, theirs} {
		for j, command := range []string{"toolbox serve 20101", "toolbox serve 20102"} {
			_, err := cluster.Run(w.ctx, "images", "push", images[j], "--size=0", "--command="+command)
			w.check(err)
		}
		w.check(cluster.Registry.PushArtifact(w.ctx, fmt.Sprintf("%s/artifact-%d", w.namespace, i+1), "1", images[2]))
	}
	first, second := w.cache("first", ours, onNode(plainNode)), w.cache("second", theirs, onNode(plainNode))
	w.awaitWord(first, v1alpha2.ImageCacheActionStatusSucceeded, 40*time.Second)
	w.awaitWord(second, v1alpha2.ImageCacheActionStatusSucceeded, 20*time.Second)

	t.Logf("the first was purged after %s", w.purge(first, "", 30*time.Second))
	w.holds(plainNode, append(ours, theirs...)...)
	w.status(first, v1alpha2.ImageCacheActionStatusSucceeded, v1alpha2.ImageCacheReasonPurge, v1alpha2.MessageImagesDeleted)
	for _, image := range ours {
		if rec := w.record(plainNode, image); rec.State != v1alpha2.ImageStateRemoving || rec.Reason != v1alpha2.ReasonImageShared {
			t.Errorf("the record of %s: %+v", image, rec)
		}
	}
	last := w.push("last", "1KB")
	w.edit(second, toLists(list(onPlain, last)))
	t.Logf("the second was edited after %s", w.awaitWord(second, v1alpha2.ImageCacheActionStatusSucceeded, 30*time.Second))
	w.exactly(plainNode, 0, last)
}

// What a purge may not touch: the sandbox image, which the runtime has pinned,
// and what a pod uses as its image or as a volume. The rest goes.
func TestRemovalKeepsWhatIsNeeded(t *testing.T) {
	w := newWorld(t, "kept")
	log := w.watchJobs()
	goes, ran, mounted := w.push("goes", "1KB"), w.push("ran", "1KB"), w.push("mounted", "1KB")
	cache := w.cache("kept", []string{goes, ran, mounted, sandboxImage}, onNode(plainNode))
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 30*time.Second)
	pod := w.podWith(mounted)
	pod.Spec.Containers[0].Image = ran
	w.create(pod)
	w.awaitPhase(pod, corev1.PodRunning)

	t.Logf("purged as far as possible after %s", w.purge(cache, "", 30*time.Second))
	w.exactly(plainNode, 0, ran, mounted)
	w.holds(plainNode, sandboxImage)
	w.status(cache, v1alpha2.ImageCacheActionStatusFailed, v1alpha2.ImageCacheReasonPurge, v1alpha2.MessageImageDeletionFailed)
	for image, want := range map[string]string{ran: v1alpha2.ReasonImageInUse, mounted: v1alpha2.ReasonImageInUse, sandboxImage: v1alpha2.ReasonImagePinned} {
		failures := cache.Status.Failures[image]
		t.Logf("%s: %v", image, failures)
		if len(failures) != 1 || failures[0].Node != plainNode || failures[0].Reason != want {
			t.Errorf("%s: failures %v, want %s", image, failures, want)
		} else if want == v1alpha2.ReasonImageInUse && !strings.Contains(failures[0].Message, pod.Namespace+"/"+pod.Name) {
			t.Errorf("%s: the message does not name the pod: %s", image, failures[0].Message)
		}
	}
	if got := condition(cache, v1alpha2.ConditionPurged); got != "False/"+v1alpha2.ConditionReasonRemovalFailed {
		t.Errorf("Purged is %s", got)
	}
	for _, job := range log.with(removes, "", goes) {
		w.mayLittle(job)
	}
	w.counted(log, 1, removes, plainNode, goes)
	if full() {
		w.goesLater(cache, pod)
	}
}

// mayLittle checks what a Job may that is near a container runtime.
func (w *world) mayLittle(job *batchv1.Job) {
	w.Helper()
	pod := job.Spec.Template.Spec
	if job.Namespace != removalNamespace || len(pod.Containers) != 1 || len(pod.InitContainers) != 0 || len(pod.Volumes) != 1 {
		w.Fatalf("Job %s/%s: %d containers, volumes %+v", job.Namespace, job.Name, len(pod.Containers), pod.Volumes)
	}
	if host := pod.Volumes[0].HostPath; host == nil || host.Type == nil || *host.Type != corev1.HostPathSocket {
		w.Errorf("the volume is no socket: %+v", pod.Volumes[0])
	}
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken || pod.HostNetwork || pod.HostPID || pod.HostIPC {
		w.Errorf("the pod has a token or the host's namespaces: %+v", pod)
	}
	c := pod.Containers[0].SecurityContext
	if c == nil || c.Privileged != nil || c.AllowPrivilegeEscalation == nil || *c.AllowPrivilegeEscalation ||
		c.Capabilities == nil || len(c.Capabilities.Add) != 0 || fmt.Sprint(c.Capabilities.Drop) != "[ALL]" {
		w.Errorf("the container may more than it needs: %+v", c)
	}
	if pod.SecurityContext == nil || pod.SecurityContext.RunAsUser == nil || *pod.SecurityContext.RunAsUser != 0 {
		w.Errorf("security context %+v", pod.SecurityContext)
	}
}

// goesLater ends the pod; then its images go without being asked again.
func (w *world) goesLater(cache *v1alpha2.ImageCache, pod *corev1.Pod) {
	w.Helper()
	w.check(cluster.API.Delete(w.ctx, pod, client.GracePeriodSeconds(0)))
	began := time.Now()
	w.exactly(plainNode, 2*time.Minute)
	w.Logf("the images were gone %s after the pod", time.Since(began))
	w.await(cache, "only the sandbox image is left", 10*time.Second, func(s *v1alpha2.ImageCacheStatus) bool {
		return len(s.Failures) == 1 && len(s.Failures[sandboxImage]) == 1
	})
	w.holds(plainNode, sandboxImage)
}

// A purge in mid-pull cannot stop the kubelet, which goes on; it waits for it,
// and leaves nothing.
func TestPurgeInMidPull(t *testing.T) {
	w := newWorld(t, "mid-pull")
	slow, quick := w.push("slow", "10MB"), w.push("quick", "1KB")
	w.rules(lab.Rule{Repository: w.namespace + "/slow", BytesPerSecond: 2_000_000})
	cache := w.cache("mid-pull", []string{quick, slow}, onNode(plainNode))
	w.check(lab.Poll(w.ctx, "the pull of the slow image", 20*time.Second, func(context.Context) (bool, string) {
		requests := w.asked(plainNode, slow, w.began)
		return len(requests) > 0, "no request"
	}))
	t.Logf("purged after %s", w.purge(cache, "", 60*time.Second))
	w.exactly(plainNode, 0)
	if len(w.fetched(plainNode)) < 2 {
		t.Error("the pull had not begun, so this was no test")
	}
	w.status(cache, v1alpha2.ImageCacheActionStatusSucceeded, v1alpha2.ImageCacheReasonPurge, v1alpha2.MessageImagesDeleted)
}
