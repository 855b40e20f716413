//go:build e2e

package operator

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// The documented way of installing, followed by the tutorial, all of it under
// Pod Security restricted.
func TestInstall(t *testing.T) {
	w := newWorld(t)
	w.nothing()
	w.make("deploy-using-operator", oldTag)
	for name, want := range map[string]string{
		operatorNamespace: "restricted", lab.Namespace: "restricted", lab.Namespace + "-node": "privileged",
	} {
		var namespace corev1.Namespace
		w.get("", name, &namespace)
		if level := namespace.Labels["pod-security.kubernetes.io/enforce"]; level != want {
			t.Errorf("namespace %s enforces %q, want %q", name, level, want)
		}
	}
	w.runs(3)
	w.tutorial()
	w.refuses()
}

// runs checks what the tutorial's command shows: that many pods, all running.
func (w *world) runs(want int) {
	w.Helper()
	output := w.kubectl("get", "pods", "-n", "kube-fledged", "-l", "app=kubefledged")
	w.Logf("kubectl get pods -n kube-fledged -l app=kubefledged\n%s", output)
	rows := strings.Split(output, "\n")[1:]
	if len(rows) != want || strings.Count(output, " Running ") != want || strings.Count(output, " 1/1 ") != want {
		w.Errorf("want %d running pods", want)
	}
}

// tutorial creates the tutorial's ImageCache and waits for its images.
func (w *world) tutorial() {
	w.Helper()
	w.kubectl("create", "-f", samplePath("kubefledged_v1alpha2_imagecache.yaml"))
	w.Cleanup(func() {
		if _, err := cluster.Kubectl(w.background(), "delete", "--ignore-not-found", "imagecache", "imagecache1", "-n", lab.Namespace); err != nil {
			w.Log("its definition may be gone:", err)
		}
	})
	w.Logf("Succeeded after %.1fs", w.succeeds(v1alpha2.ImageCacheReasonCreate).Seconds())
	w.holds(true)
}

// succeeds waits until the tutorial's ImageCache is done with what the reason
// says.
func (w *world) succeeds(reason string) time.Duration {
	w.Helper()
	return w.poll("imagecache1 succeeds", time.Minute, func(ctx context.Context) (bool, string) {
		var cache v1alpha2.ImageCache
		if err := cluster.API.Get(ctx, client.ObjectKey{Namespace: lab.Namespace, Name: "imagecache1"}, &cache); err != nil {
			return false, err.Error()
		}
		s := cache.Status
		return s.Status == v1alpha2.ImageCacheActionStatusSucceeded && s.Reason == reason,
			fmt.Sprintf("%s %s %s %s %v", s.Status, s.Reason, s.Progress, s.Message, s.Failures)
	})
}

// holds checks that the nodes' runtimes list the tutorial's images, or none.
func (w *world) holds(want bool) {
	w.Helper()
	for node, images := range map[string][]string{plainNode: {nginx, tomcat}, backendNode: tutorialImages} {
		runtime, err := cluster.Runtime(w.ctx, node)
		w.check(err)
		missing, err := runtime.Missing(w.ctx, images...)
		w.check(err)
		if want && len(missing) > 0 || !want && len(missing) < len(images) {
			w.Errorf("%s lacks %v, want images: %t", node, missing, want)
		}
	}
}

// refuses checks that the webhook names the field of a mistake that only it knows.
func (w *world) refuses() {
	w.Helper()
	said := w.refused(`
apiVersion: kubefledged.io/v1alpha2
kind: ImageCache
metadata: {name: twice, namespace: kube-fledged}
spec:
  cacheSpec:
  - images: [nginx, docker.io/library/nginx:latest]
`)
	if !strings.Contains(said, "spec.cacheSpec[0].images[1]") {
		w.Errorf("the field is not named: %s", said)
	}
	w.Log(said)
}

// ready waits until the KubeFledged is Ready at its generation, and nothing is
// left to do.
func (w *world) ready() time.Duration {
	w.Helper()
	return w.poll("KubeFledged is Ready", readyLimit, func(ctx context.Context) (bool, string) {
		output, err := cluster.Kubectl(ctx, "get", "kubefledgeds", "kubefledged", "-n", lab.Namespace, "-o",
			`jsonpath={.metadata.generation} {.status.observedGeneration}{range .status.conditions[*]} {.type}={.status} {.message};{end}`)
		if err != nil {
			return false, err.Error()
		}
		words := strings.Fields(output)
		return len(words) > 2 && words[0] == words[1] && strings.Contains(output, "Ready=True") && strings.Contains(output, "Progressing=False"), output
	})
}

// containers returns the images and arguments of a Deployment of ours.
func (w *world) containers(name string) string {
	w.Helper()
	var deployment appsv1.Deployment
	w.get(lab.Namespace, name, &deployment)
	var words []string
	for _, container := range deployment.Spec.Template.Spec.Containers {
		words = append(append(words, container.Image), container.Args...)
	}
	return strings.Join(words, " ")
}

// statuses returns what the release's records say, sorted.
func (w *world) statuses() []string {
	w.Helper()
	var records corev1.SecretList
	w.check(cluster.API.List(w.ctx, &records, client.InNamespace(lab.Namespace), client.MatchingLabels{"owner": "helm"}))
	var statuses []string
	for i := range records.Items {
		statuses = append(statuses, records.Items[i].Labels["version"]+" "+records.Items[i].Labels["status"])
	}
	slices.Sort(statuses)
	return statuses
}
