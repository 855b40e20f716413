package nodecache

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

const (
	hub  = "docker.io"
	quay = "quay.io"
)

// zero is when the stories of these tests begin.
var zero = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// after returns the time so many seconds later.
func after(seconds int) time.Time { return zero.Add(time.Duration(seconds) * time.Second) }

// rec is the record of an image of the host; its reason makes it a failure.
func rec(host, image string, at int, reason string, attempts int32) v1alpha2.ImageRecord {
	r := v1alpha2.ImageRecord{
		Image: host + "/" + image + ":1", Identity: "node", State: v1alpha2.ImageStateCached,
		Reason: reason, Attempts: attempts, Time: metav1.NewTime(after(at)),
	}
	if reason != "" {
		r.State = v1alpha2.ImageStateFailed
	}
	return r
}

func throttled(image string, at int, attempts int32) v1alpha2.ImageRecord {
	return rec(hub, image, at, v1alpha2.ReasonRegistryThrottled, attempts)
}

func unreached(image string, at int, attempts int32) v1alpha2.ImageRecord {
	return rec(hub, image, at, v1alpha2.ReasonRegistryUnavailable, attempts)
}

func cached(image string, at int) v1alpha2.ImageRecord { return rec(hub, image, at, "", 0) }

func probing(r *Registries) bool {
	_, trouble := r.Trouble(hub)
	return trouble
}

type records = []v1alpha2.ImageRecord

// step checks that the registry is closed from the failure on for as long as
// that many answers in a row ask for; 0 means open.
func step(t *testing.T, until time.Time, failed, want int) {
	t.Helper()
	if want == 0 {
		if !until.IsZero() {
			t.Errorf("closed until %s, want open", until.Sub(zero))
		}
		return
	}
	wait, least := until.Sub(after(failed)), closedFor(int32(want))
	if wait < least || wait > least*6/5 {
		t.Errorf("closed for %s after %ds, want %s and up to a fifth more", wait, failed, least)
	}
}

// TestClosed holds until when a registry is closed, for a node of its own
// troubles and for one that has none.
func TestClosed(t *testing.T) {
	for name, test := range map[string]struct {
		nodes map[string]records
		// failed is the second of the failure that counts, steps the number of
		// steps for the other nodes, own for n1.
		failed, steps, own int
		probing            bool
	}{
		"nothing is known":          {},
		"all is well":               {nodes: map[string]records{"n1": {cached("a", 0)}}},
		"one throttled answer":      {nodes: map[string]records{"n1": {throttled("a", 0, 1)}}, steps: 1, own: 1, probing: true},
		"many images of one Job":    {nodes: map[string]records{"n1": {throttled("a", 0, 1), throttled("b", 0, 1), throttled("c", 1, 1)}}, steps: 1, own: 1, probing: true},
		"many nodes at once":        {nodes: map[string]records{"n1": {throttled("a", 0, 1)}, "n2": {throttled("a", 3, 1)}, "n3": {throttled("a", 9, 1)}}, steps: 1, own: 1, probing: true},
		"a probe of another image":  {nodes: map[string]records{"n1": {throttled("a", 0, 1), throttled("b", 12, 1)}}, failed: 12, steps: 2, own: 2, probing: true},
		"a probe of the same":       {nodes: map[string]records{"n1": {throttled("a", 12, 2)}}, failed: 12, steps: 2, own: 2, probing: true},
		"five in a row":             {nodes: map[string]records{"n1": {throttled("a", 400, 5)}}, failed: 400, steps: 5, own: 5, probing: true},
		"at most five minutes":      {nodes: map[string]records{"n1": {throttled("a", 9000, 30)}}, failed: 9000, steps: 30, own: 30, probing: true},
		"a success later":           {nodes: map[string]records{"n1": {throttled("a", 0, 3)}, "n2": {cached("a", 1)}}, own: 3},
		"a success before":          {nodes: map[string]records{"n1": {throttled("a", 9, 1)}, "n2": {cached("a", 8)}}, failed: 9, steps: 1, own: 1, probing: true},
		"a success of the same Job": {nodes: map[string]records{"n1": {throttled("a", 9, 1), cached("b", 9)}}, failed: 9, steps: 1, own: 1, probing: true},
		// Of five tries, those that can have come after the success count.
		"a success between":    {nodes: map[string]records{"n1": {throttled("a", 400, 5)}, "n2": {cached("a", 370)}}, failed: 400, steps: 1, own: 5, probing: true},
		"a node's own success": {nodes: map[string]records{"n1": {throttled("a", 0, 3), cached("b", 1)}}},
		"a missing image shows that it serves": {nodes: map[string]records{
			"n1": {throttled("a", 0, 1)}, "n2": {rec(hub, "gone", 2, v1alpha2.ReasonImageNotFound, 1)}}, own: 1},
		"another registry's success": {nodes: map[string]records{
			"n1": {throttled("a", 0, 1)}, "n2": {rec(quay, "b", 2, "", 0)}}, steps: 1, own: 1, probing: true},
		"the node's own trouble": {nodes: map[string]records{"n1": {rec(hub, "a", 0, v1alpha2.ReasonNoSpaceLeft, 1)}}},

		"one node cannot reach it":               {nodes: map[string]records{"n1": {unreached("a", 0, 1), unreached("b", 0, 1)}}, own: 1},
		"one node cannot, others were served":    {nodes: map[string]records{"n1": {unreached("a", 5, 1)}, "n2": {cached("a", 9)}}, failed: 5, own: 1},
		"two nodes cannot reach it":              {nodes: map[string]records{"n1": {unreached("a", 0, 1)}, "n2": {unreached("a", 2, 1)}}, steps: 1, own: 1, probing: true},
		"two nodes cannot, a third was served":   {nodes: map[string]records{"n1": {unreached("a", 0, 1)}, "n2": {unreached("a", 2, 1)}, "n3": {cached("a", 4)}}, own: 1},
		"two nodes cannot, a third was, before":  {nodes: map[string]records{"n1": {unreached("a", 5, 1)}, "n2": {unreached("a", 6, 1)}, "n3": {cached("a", 4)}}, failed: 5, steps: 1, own: 1, probing: true},
		"one is throttled, another cannot reach": {nodes: map[string]records{"n1": {throttled("a", 0, 1)}, "n2": {unreached("a", 50, 1)}}, steps: 1, own: 1, probing: true},
		"images of a refresh that failed are there": {nodes: map[string]records{"n1": {{
			Image: hub + "/a:1", State: v1alpha2.ImageStateCached, Reason: v1alpha2.ReasonRegistryThrottled, Attempts: 1, Time: metav1.NewTime(zero),
		}}}, steps: 1, own: 1, probing: true},
		"what is to be removed asks nobody": {nodes: map[string]records{"n1": {{
			Image: hub + "/a:1", State: v1alpha2.ImageStateRemoving, Reason: v1alpha2.ReasonRegistryThrottled, Time: metav1.NewTime(zero),
		}}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewRegistries()
			for node, list := range test.nodes {
				r.learn(node, list)
			}
			step(t, r.ClosedUntil(hub, "other"), test.failed, test.steps)
			step(t, r.ClosedUntil(hub, "n1"), test.failed, test.own)
			if _, got := r.Trouble(hub); got != test.probing {
				t.Errorf("probing %t, want %t", got, test.probing)
			}
		})
	}
}

// Whatever the order in which the records come, the same follows: it is all
// that a controller has that was just started.
func TestRestartKnowsTheSame(t *testing.T) {
	nodes := map[string]records{
		"n1": {throttled("a", 5, 1)}, "n2": {throttled("b", 16, 1), cached("c", 2)},
		"n3": {throttled("a", 40, 3)}, "n4": {cached("a", 1)}, "n5": {unreached("d", 41, 2)},
	}
	names := []string{"n1", "n2", "n3", "n4", "n5"}
	var first time.Time
	for i := range names {
		r := NewRegistries()
		for _, name := range slices.Concat(names[i:], names[:i]) {
			r.learn(name, nodes[name])
			r.learn(name, nodes[name]) // informers repeat themselves
		}
		until := r.ClosedUntil(hub, "other")
		if i == 0 {
			first = until
			step(t, until, 40, 3)
		}
		if !until.Equal(first) || !probing(r) {
			t.Errorf("from %s on: closed until %s, else until %s", names[i], until, first)
		}
	}
}

// A story on one clock: a registry that throttles for a minute.
func TestRegistryRecovers(t *testing.T) {
	r, h := NewRegistries(), (*Registries).Handler
	cache := func(node string, list ...v1alpha2.ImageRecord) *v1alpha2.NodeCache {
		c := &v1alpha2.NodeCache{Status: v1alpha2.NodeCacheStatus{Images: list}}
		c.Name = node
		return c
	}
	h(r).OnAdd(cache("n1", throttled("a", 0, 1)), true)
	first := r.ClosedUntil(hub, "n9")
	step(t, first, 0, 1)

	// The Jobs that were on their way fail, too: nothing changes.
	h(r).OnUpdate(nil, cache("n2", throttled("a", 4, 1)))
	if got := r.ClosedUntil(hub, "n9"); !got.Equal(first) {
		t.Errorf("moved from %s to %s", first, got)
	}
	// The user edits the cache, which forgets that its images failed; the
	// registry is left alone all the same.
	h(r).OnUpdate(nil, cache("n1"))
	h(r).OnUpdate(nil, cache("n2"))
	if got := r.ClosedUntil(hub, "n9"); got.Before(first) || got.After(after(20)) || !probing(r) {
		t.Errorf("forgotten: closed until %s", got)
	}
	// The probe fails: twice as long.
	h(r).OnUpdate(nil, cache("n1", throttled("a", 15, 2)))
	step(t, r.ClosedUntil(hub, "n9"), 15, 2)
	// The next one is served.
	h(r).OnUpdate(nil, cache("n3", cached("b", 60)))
	step(t, r.ClosedUntil(hub, "n9"), 0, 0)
	if probing(r) {
		t.Error("it serves, and is probed still")
	}
	// A node that is gone says nothing any more.
	h(r).OnUpdate(nil, cache("n4", throttled("a", 70, 1)))
	step(t, r.ClosedUntil(hub, "n9"), 70, 1)
	step(t, r.ClosedUntil(quay, "n9"), 0, 0)
	h(r).OnDelete(toolscache.DeletedFinalStateUnknown{Obj: cache("n1")})
	h(r).OnUpdate(nil, cache("n5", cached("a", 71)))
	step(t, r.ClosedUntil(hub, "n9"), 0, 0)
}

func TestClosedFor(t *testing.T) {
	for step, want := range map[int32]time.Duration{1: 10 * time.Second, 2: 20 * time.Second, 5: 160 * time.Second, 6: 5 * time.Minute, 99: 5 * time.Minute} {
		if got := closedFor(step); got != want {
			t.Errorf("step %d: %s, want %s", step, got, want)
		}
	}
}

// Registries that failed together are not asked together.
func TestJitter(t *testing.T) {
	seen := map[time.Duration]bool{}
	for i := range 20 {
		seen[spread(closedFirst, fmt.Sprintf("r%d.example", i), 1)] = true
	}
	if len(seen) < 10 {
		t.Errorf("20 registries share %d waits", len(seen))
	}
}

func BenchmarkLearn(b *testing.B) {
	r := NewRegistries()
	list := make(records, 500)
	for i := range list {
		list[i] = cached(fmt.Sprintf("a%d", i), i)
	}
	list[7] = throttled("b", 3, 1)
	for i := range 1000 {
		r.learn(fmt.Sprintf("n%d", i), list)
	}
	for b.Loop() {
		r.learn("n1", list)
	}
}
