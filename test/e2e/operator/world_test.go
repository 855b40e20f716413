//go:build e2e

package operator

import (
	"context"
	"fmt"
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

// readyLimit is for the image cache to be Ready after whatever happened.
const readyLimit = 3 * time.Minute

// world is one scenario.
type world struct {
	*testing.T
	ctx     context.Context
	cluster *site
	// row is what the scenario reports, and began when its own time did.
	row   lab.Fault
	began time.Time
	// undo is what to do at the end, last in first out.
	undo []func()
}

// newWorld begins a scenario when the site is free, and says what is done in it
// and what should come of that. One that fails prints what the cluster looks
// like.
func newWorld(t *testing.T, on *site, done, expected string) *world {
	t.Helper()
	// The first by the names of files has the site first: an upgrade begins with
	// nothing, and what comes after it goes on from there.
	first := on.scenario.TryLock()
	t.Parallel() // with the scenarios of the other site
	if !first {
		on.scenario.Lock()
	}
	t.Cleanup(on.scenario.Unlock)
	w := &world{T: t, ctx: t.Context(), cluster: on, row: lab.Fault{Scenario: t.Name(), Injected: done, Expected: expected}}
	if err := on.up(w.background()); err != nil {
		t.Fatal(err)
	}
	w.began = time.Now()
	t.Cleanup(w.end)
	return w
}

// saw adds a figure to what the scenario reports, and to its log.
func (w *world) saw(format string, args ...any) {
	w.Helper()
	line := fmt.Sprintf(format, args...)
	w.row.Seen = append(w.row.Seen, line)
	w.Log(line)
}

// Cleanup calls undo at the end of the scenario, after a failure has been
// explained: before that, nothing must change.
func (w *world) Cleanup(undo func()) { w.undo = append(w.undo, undo) }

func (w *world) end() {
	w.row.Seconds = time.Since(w.began).Seconds()
	w.explain()
	for _, undo := range slices.Backward(w.undo) {
		undo()
	}
	w.row.Passed = !w.Failed()
	if err := w.row.Report(); err != nil {
		w.Errorf("report: %v", err)
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
		output, err := w.cluster.Kubectl(w.background(), args...)
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

// make runs a target of this checkout with the images of it, and tells how long
// that took.
func (w *world) make(target string) {
	w.Helper()
	w.makeIn(w.cluster.Root, target, currentTag)
}

// makeIn is make in whichever checkout.
func (w *world) makeIn(root, target, tag string) {
	w.Helper()
	began := time.Now()
	_, err := w.cluster.make(w.ctx, root, target, "REGISTRY="+nodeRegistry, "TAG="+tag)
	w.check(err)
	w.Logf("make %s TAG=%s: %.1fs", target, tag, time.Since(began).Seconds())
}

func (w *world) kubectl(args ...string) string {
	w.Helper()
	output, err := w.cluster.Kubectl(w.ctx, args...)
	w.check(err)
	return output
}

// refused returns what kubectl says about a manifest that it cannot apply.
func (w *world) refused(manifest string) string {
	w.Helper()
	file := filepath.Join(w.TempDir(), "refused.yaml")
	w.check(os.WriteFile(file, []byte(manifest), 0o600))
	_, err := w.cluster.Kubectl(w.ctx, "create", "-f", file)
	if err == nil {
		w.Fatalf("accepted:\n%s", manifest)
	}
	return err.Error()
}

// sample is the path of a manifest as users apply it.
func (w *world) sample(name string) string {
	return filepath.Join(w.cluster.Root, "config", "samples", name)
}

func (w *world) get(namespace, name string, object client.Object) {
	w.Helper()
	w.check(w.cluster.API.Get(w.ctx, client.ObjectKey{Namespace: namespace, Name: name}, object))
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
	if now, err := w.cluster.Objects(w.ctx); err != nil || len(lab.Without(now, w.cluster.empty)) > 0 {
		w.make("remove-kubefledged-and-operator")
		w.onlyLeft(w.cluster.empty)
	}
}

// onlyLeft waits until there are no objects but those, since the garbage
// collector takes a moment.
func (w *world) onlyLeft(known []string, but ...func(object string) bool) time.Duration {
	w.Helper()
	return w.poll("nothing left", time.Minute, func(ctx context.Context) (bool, string) {
		now, err := w.cluster.Objects(ctx)
		if err != nil {
			return false, err.Error()
		}
		left := slices.DeleteFunc(lab.Without(now, known), func(object string) bool {
			return slices.ContainsFunc(but, func(is func(string) bool) bool { return is(object) })
		})
		return len(left) == 0, strings.Join(left, ", ")
	})
}
