//go:build e2e

package operator

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// operatorNamespace is where the operator runs.
const operatorNamespace = "kubefledged-operator"

// The tutorial's images: nginx and tomcat for every node, the others for tier=backend.
const (
	nginx   = "quay.io/bitnami/nginx:1.21.1"
	tomcat  = "quay.io/bitnami/tomcat:10.0.8"
	redis   = "quay.io/bitnami/redis:6.2.5"
	mariadb = "quay.io/bitnami/mariadb:10.5.11"
)

var tutorialImages = []string{nginx, tomcat, redis, mariadb}

// readyLimit is for the image cache to be Ready after whatever happened.
const readyLimit = 3 * time.Minute

// world is one scenario.
type world struct {
	*testing.T
	ctx context.Context
	// undo is what to do at the end, last in first out.
	undo []func()
}

// newWorld begins a scenario. One that fails prints what the cluster looks like.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, ctx: t.Context()}
	t.Cleanup(w.end)
	return w
}

// Cleanup calls undo at the end of the scenario, after a failure has been
// explained: before that, nothing must change.
func (w *world) Cleanup(undo func()) { w.undo = append(w.undo, undo) }

func (w *world) end() {
	w.explain()
	for _, undo := range slices.Backward(w.undo) {
		undo()
	}
}

func (w *world) explain() {
	if !w.Failed() {
		return
	}
	for _, args := range [][]string{
		{"get", "kubefledgeds,imagecaches", "-A", "-o", "yaml"},
		{"get", "nodes,pods,jobs,deployments,secrets", "-A", "-o", "wide"},
		{"get", "events", "-A", "--sort-by=.lastTimestamp"},
		{"logs", "-n", operatorNamespace, "-l", "app=kubefledged", "--tail=60", "--prefix"},
		{"logs", "-n", lab.Namespace, "-l", "app=kubefledged", "--tail=30", "--prefix"},
	} {
		output, err := cluster.Kubectl(w.background(), args...)
		w.Logf("kubectl %s (error: %v)\n%s", strings.Join(args, " "), err, output)
	}
}

// background is for undoing things: the scenario's context has ended by then.
func (w *world) background() context.Context { return context.WithoutCancel(w.ctx) }

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// make runs a target with the images of a tag, and tells how long it took.
func (w *world) make(target, tag string) {
	w.Helper()
	began := time.Now()
	_, err := runMake(w.ctx, target, "REGISTRY="+nodeRegistry, "TAG="+tag)
	w.check(err)
	w.Logf("make %s TAG=%s: %.1fs", target, tag, time.Since(began).Seconds())
}

func (w *world) kubectl(args ...string) string {
	w.Helper()
	output, err := cluster.Kubectl(w.ctx, args...)
	w.check(err)
	return output
}

// refused returns what kubectl says about a manifest that it cannot apply.
func (w *world) refused(manifest string) string {
	w.Helper()
	file := filepath.Join(w.TempDir(), "refused.yaml")
	w.check(os.WriteFile(file, []byte(manifest), 0o600))
	_, err := cluster.Kubectl(w.ctx, "create", "-f", file)
	if err == nil {
		w.Fatalf("accepted:\n%s", manifest)
	}
	return err.Error()
}

// samplePath is a manifest as users apply it.
func samplePath(name string) string { return filepath.Join(cluster.Root, "config", "samples", name) }

func (w *world) get(namespace, name string, object client.Object) {
	w.Helper()
	w.check(cluster.API.Get(w.ctx, client.ObjectKey{Namespace: namespace, Name: name}, object))
}

// poll waits for something and returns how long that took.
func (w *world) poll(what string, limit time.Duration, look func(context.Context) (bool, string)) time.Duration {
	w.Helper()
	began := time.Now()
	w.check(lab.Poll(w.ctx, what, limit, look))
	return time.Since(began)
}

// nothing makes sure that nothing of ours is installed.
func (w *world) nothing() {
	w.Helper()
	if now, err := cluster.Objects(w.ctx); err != nil || len(without(now, empty)) > 0 {
		w.make("remove-kubefledged-and-operator", oldTag)
	}
}

// without returns what is in all and not in known.
func without(all, known []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(object string) bool { return slices.Contains(known, object) })
}

// onlyLeft waits until there are no objects but those, since the garbage
// collector takes a moment.
func (w *world) onlyLeft(known []string) {
	w.Helper()
	took := w.poll("nothing left", time.Minute, func(ctx context.Context) (bool, string) {
		now, err := cluster.Objects(ctx)
		if err != nil {
			return false, err.Error()
		}
		left := without(now, known)
		return len(left) == 0, strings.Join(left, ", ")
	})
	w.Logf("no objects left after %.1fs more", took.Seconds())
}
