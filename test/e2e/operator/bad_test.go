//go:build e2e

package operator

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// An image that nobody has is told with the kubelet's words, while what ran
// before goes on, and the way back is the old value.
func TestImageThatIsNotThere(t *testing.T) {
	fullOnly(t)
	w := newWorld(t, busy, "a KubeFledged with an image tag that is nowhere", "Degraded in the kubelet's words; what ran before goes on; the old value heals")
	w.make("deploy-using-operator")
	w.ready()
	began := time.Now()
	w.kubectl("patch", "kubefledgeds", "kubefledged", "-n", lab.Namespace, "--type=merge", "-p", `{"spec":{"image":{"tag":"none"}}}`)
	w.Cleanup(func() {
		if _, err := w.cluster.Kubectl(w.background(), "patch", "kubefledgeds", "kubefledged", "-n", lab.Namespace, "--type=merge",
			"-p", `{"spec":{"image":null}}`); err != nil {
			w.Error(err)
		}
	})
	said := w.degraded("kubefledged", "PodsFailing")
	w.saw("Degraded after %.1f s: %.120s...", time.Since(began).Seconds(), said)
	if !strings.Contains(said, ":none") {
		w.Errorf("the image is not named: %s", said)
	}
	w.refuses()
	w.caches()
	w.kubectl("patch", "kubefledgeds", "kubefledged", "-n", lab.Namespace, "--type=merge", "-p", `{"spec":{"image":null}}`)
	w.saw("Ready %.1f s after the old value", w.ready().Seconds())
	w.check(w.cluster.AwaitController(w.ctx))
}

// A second KubeFledged is told the name of the first, and does nothing.
func TestSecondKubeFledged(t *testing.T) {
	fullOnly(t)
	w := newWorld(t, busy, "a second KubeFledged", "it is told the name of the first, and nothing changes")
	w.make("deploy-using-operator")
	w.ready()
	before, err := w.cluster.Objects(w.ctx)
	w.check(err)
	w.apply(`{apiVersion: charts.helm.kubefledged.io/v1alpha2, kind: KubeFledged, metadata: {name: second, namespace: kube-fledged}}`)
	said := w.degraded("second", "NotTheFirst")
	w.saw("Degraded: %s", said)
	if !strings.Contains(said, "kubefledged") {
		w.Errorf("the first is not named: %s", said)
	}
	w.kubectl("delete", "kubefledgeds", "second", "-n", lab.Namespace, "--timeout=30s")
	w.onlyLeft(before)
	w.ready()
	w.runs(3)
}

// degraded waits until a KubeFledged is Degraded for that reason, and returns
// the message.
func (w *world) degraded(name, reason string) (message string) {
	w.Helper()
	w.poll(name+" is Degraded, "+reason, time.Minute, func(ctx context.Context) (bool, string) {
		output, err := w.cluster.Kubectl(ctx, "get", "kubefledgeds", name, "-n", lab.Namespace, "-o",
			`jsonpath={range .status.conditions[?(@.type=="Degraded")]}{.status} {.reason} {.message}{end}`)
		if err != nil {
			return false, err.Error()
		}
		rest, found := strings.CutPrefix(output, "True "+reason+" ")
		message = rest
		return found, output
	})
	return message
}

func (w *world) apply(manifest string) {
	w.Helper()
	file := filepath.Join(w.TempDir(), "applied.yaml")
	w.check(os.WriteFile(file, []byte(manifest), 0o600))
	w.kubectl("apply", "--server-side", "-f", file)
}
