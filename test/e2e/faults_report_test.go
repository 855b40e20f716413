//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// fault is a row of docs/reliability.md in the making.
type fault struct {
	*world
	lab.Fault
}

// fault reports what is done to the product and what should come of it. The
// row is written when the scenario ends, with its result.
func (w *world) fault(injected, expected string) *fault {
	f := &fault{w, lab.Fault{Scenario: w.Name(), Injected: injected, Expected: expected}}
	w.T.Cleanup(func() {
		f.Passed = !w.Failed()
		if err := f.Report(); err != nil {
			w.Errorf("report: %v", err)
		}
	})
	return f
}

// saw adds to the row, and to the log, what came of it.
func (f *fault) saw(format string, args ...any) {
	f.Helper()
	line := fmt.Sprintf(format, args...)
	f.Seen = append(f.Seen, line)
	f.Log(line)
}

// seconds is a duration as tables show it.
func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// jobs returns how many Jobs of ours each node has had so far.
func (w *world) jobs(node string) int64 {
	w.Helper()
	var record v1alpha2.NodeCache
	w.check(client.IgnoreNotFound(cluster.API.Get(w.ctx, client.ObjectKey{Name: node}, &record)))
	return record.Status.Sequence
}

// nodeCache returns what the controller has recorded of a node, nil when nothing.
func (w *world) nodeCache(node string) *v1alpha2.NodeCache {
	w.Helper()
	var record v1alpha2.NodeCache
	err := cluster.API.Get(w.ctx, client.ObjectKey{Name: node}, &record)
	if client.IgnoreNotFound(err) == nil && err != nil {
		return nil
	}
	w.check(err)
	return &record
}

// awaitNoJobs waits until no Job of ours is left in the scenario's namespace.
func (w *world) awaitNoJobs(limit time.Duration) {
	w.Helper()
	w.check(lab.Poll(w.ctx, "the end of all Jobs", limit, func(ctx context.Context) (bool, string) {
		var jobs batchv1.JobList
		err := cluster.API.List(ctx, &jobs, client.InNamespace(w.namespace))
		var names []string
		for i := range jobs.Items {
			names = append(names, jobs.Items[i].Name)
		}
		return err == nil && len(names) == 0, fmt.Sprintf("%s, error %v", strings.Join(names, " "), err)
	}))
}

// gets counts what a node has fetched of the blobs of one image of this
// scenario: the largest number of requests for one of them, and all bytes.
func (w *world) gets(node, name string) (most int, bytes int64) {
	w.Helper()
	requests, err := cluster.Registry.Log(w.ctx, w.namespace+"/"+name+"/", w.began)
	w.check(err)
	from, counts := address(w.node(node)), map[string]int{}
	for _, request := range requests {
		if digest := request.Blob(); digest != "" && request.Client() == from {
			counts[digest]++
			most, bytes = max(most, counts[digest]), bytes+request.Bytes
		}
	}
	return most, bytes
}

// dashed makes the name of a component or an image one of a namespace.
func dashed(name string) string { return strings.NewReplacer("/", "-", ".", "-").Replace(name) }
