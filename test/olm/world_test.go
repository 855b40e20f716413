//go:build e2e

package olm

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// operatorNamespace is where the operator runs, and where its Subscription is.
const operatorNamespace = "kubefledged-operator"

// readyLimit is for OLM to install or upgrade something, and for the operator
// to do so.
const readyLimit = 4 * time.Minute

// world is one scenario.
type world struct {
	*testing.T
	ctx context.Context
	// undo is what to do at the end, last in first out.
	undo []func()
}

// newWorld begins a scenario on a cluster where nothing is installed but OLM.
// One that fails prints what the cluster looks like.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, ctx: t.Context()}
	t.Cleanup(w.end)
	w.nothing()
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
		{"get", "catalogsources,subscriptions,installplans.operators.coreos.com,operatorgroups", "-A", "-o", "yaml"},
		{"get", "clusterserviceversions", "-A", "-o", `jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name} {.status}{"\n"}{end}`},
		{"get", "kubefledgeds,imagecaches", "-A", "-o", "yaml"},
		{"get", "nodes,pods,jobs,deployments", "-A", "-o", "wide"},
		{"get", "events", "-A", "--sort-by=.lastTimestamp"},
		{"logs", "-n", operatorNamespace, "-l", "app=kubefledged", "--tail=60", "--prefix"},
		{"logs", "-n", lab.Namespace, "-l", "app=kubefledged", "--tail=30", "--prefix"},
		{"logs", "-n", "olm", "-l", "app=catalog-operator", "--tail=30"},
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

func (w *world) kubectl(args ...string) string {
	w.Helper()
	output, err := cluster.Kubectl(w.ctx, args...)
	w.check(err)
	return output
}

// apply applies manifests that are written in YAML.
func (w *world) apply(manifests string) {
	w.Helper()
	file := filepath.Join(w.TempDir(), "manifests.yaml")
	w.check(os.WriteFile(file, []byte(manifests), 0o600))
	w.kubectl("apply", "--server-side", "-f", file)
}

// poll waits for something and returns how long that took.
func (w *world) poll(what string, limit time.Duration, look func(context.Context) (bool, string)) time.Duration {
	w.Helper()
	began := time.Now()
	w.check(lab.Poll(w.ctx, what, limit, look))
	return time.Since(began)
}

// step does something and tells how long it took.
func (w *world) step(what string, do func()) {
	w.Helper()
	began := time.Now()
	do()
	w.Logf("%-60s %6.1fs", what, time.Since(began).Seconds())
}

// field reads one field of an object of any kind, such as "status.phase"; the
// error is in the second result, as it is what was seen.
func field(ctx context.Context, apiVersion, kind, namespace, name string, path ...string) (value, seen string) {
	var object unstructured.Unstructured
	object.SetGroupVersionKind(schema.FromAPIVersionAndKind(apiVersion, kind))
	if err := cluster.API.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &object); err != nil {
		return "", err.Error()
	}
	value, _, err := unstructured.NestedString(object.Object, path...)
	if err != nil {
		return "", err.Error()
	}
	return value, kind + " " + name + ": " + strings.Join(path, ".") + " is " + value
}
