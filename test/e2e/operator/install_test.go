//go:build e2e

package operator

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// The documented way of installing with the operator, followed by the tutorial,
// all of it under Pod Security restricted.
func TestInstall(t *testing.T) {
	fullOnly(t)
	w := newWorld(t, busy, "`make deploy-using-operator`, the tutorial, `make remove-kubefledged-and-operator`",
		"the images are where the tutorial says; nothing is left")
	w.nothing()
	w.installs("deploy-using-operator")
	w.restricted()
	w.tutorial(3)
	w.refuses()
	w.removes()
}

// The chart alone, followed by the tutorial, and what its page says about
// removing it.
func TestHelm(t *testing.T) {
	fullOnly(t)
	w := newWorld(t, busy, "`make deploy-using-helm`, the tutorial, `make remove-kubefledged-and-operator`",
		"the images are where the tutorial says; nothing is left")
	w.nothing()
	w.installs("deploy-using-helm")
	w.tutorial(3)
	w.refuses()
	w.kubectl("delete", "imagecaches", "--all", "-A", "--timeout=1m")
	w.removes()
}

// The manifests alone, followed by the tutorial.
func TestManifests(t *testing.T) {
	fullOnly(t)
	w := newWorld(t, busy, "`make deploy-using-yaml`, the tutorial, `make remove-kubefledged-and-operator`",
		"the images are where the tutorial says; nothing is left")
	w.nothing()
	w.installs("deploy-using-yaml")
	w.tutorial(3)
	w.refuses()
	w.removes()
}

func (w *world) installs(target string) {
	w.Helper()
	began := time.Now()
	w.make(target)
	w.saw("installed in %.1f s", time.Since(began).Seconds())
}

// removes removes everything, and checks that it was everything.
func (w *world) removes() {
	w.Helper()
	began := time.Now()
	w.make("remove-kubefledged-and-operator")
	took := time.Since(began)
	w.onlyLeft(w.cluster.empty)
	w.saw("removed in %.1f s; 0 objects more than before, definitions too", took.Seconds())
}

// restricted checks the levels of Pod Security.
func (w *world) restricted() {
	w.Helper()
	for name, want := range map[string]string{
		operatorNamespace: "restricted", lab.Namespace: "restricted", lab.Namespace + "-node": "privileged",
	} {
		var namespace corev1.Namespace
		w.get("", name, &namespace)
		if level := namespace.Labels["pod-security.kubernetes.io/enforce"]; level != want {
			w.Errorf("namespace %s enforces %q, want %q", name, level, want)
		}
	}
	w.saw("Pod Security restricted is enforced in %s and %s", operatorNamespace, lab.Namespace)
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
}

// ready waits until the KubeFledged is Ready at its generation, and nothing is
// left to do.
func (w *world) ready() time.Duration {
	w.Helper()
	return w.poll("KubeFledged is Ready", readyLimit, func(ctx context.Context) (bool, string) {
		output, err := w.cluster.Kubectl(ctx, "get", "kubefledgeds", "kubefledged", "-n", lab.Namespace, "-o",
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
	w.check(w.cluster.API.List(w.ctx, &records, client.InNamespace(lab.Namespace), client.MatchingLabels{"owner": "helm"}))
	var statuses []string
	for i := range records.Items {
		statuses = append(statuses, records.Items[i].Labels["version"]+" "+records.Items[i].Labels["status"])
	}
	slices.Sort(statuses)
	return statuses
}
