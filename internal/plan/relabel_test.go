package plan

import (
	"testing"
	"time"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

func TestRelabeledNodeKeepsItsImagesForAWhile(t *testing.T) {
	c := cache("c", "x").with(func(c *Cache) { c.Selectors = "s1" })
	c.Lists[0].Selects = pool("a")
	l := newLife(t, record(cached("x")).claimed(1, c), c)
	l.wantJob(l.step(0)) // takes in the selectors
	l.in.Node.Labels = map[string]string{"pool": "b"}
	l.wantJob(l.step(time.Minute))
	l.wantJob(l.step(9 * time.Minute))
	l.in.Node.Labels = map[string]string{"pool": "a"}
	l.wantJob(l.step(time.Minute))
	l.want(map[string]string{"x": "Cached "})
	l.in.Node.Labels = map[string]string{"pool": "b"}
	l.wantJob(l.step(time.Minute))
	l.wantJob(l.step(10*time.Minute), "remove", "x")
}

func TestEditOfTheSelectorRemovesAtOnce(t *testing.T) {
	c := cache("c", "x").with(func(c *Cache) { c.Selectors = "s1" })
	l := newLife(t, record(cached("x")).claimed(1, c), c)
	l.wantJob(l.step(0))
	next := edited(c, "x").with(func(c *Cache) { c.Selectors = "s2" })
	next.Lists[0].Selects = pool("b")
	l.in.Caches = []*Cache{next}
	l.wantJob(l.step(0), "remove", "x")
}

// An edit of the selectors while a Job is under way is not a relabeling: what
// the Job brings to a node that is no longer selected goes at once.
func TestEditOfTheSelectorInMidPull(t *testing.T) {
	for name, claims := range map[string]int{"no claim yet": 0, "claims others": 1} {
		c := cache("c", "x", "y").with(func(c *Cache) { c.Selectors = "s1" })
		l := newLife(t, record(cached("y")).claimed(1, []*Cache{c}[:claims]...), c)
		j := jobFor(c, time.Second, "x")
		j.Selectors = "s1"
		next := c.with(func(c *Cache) {
			c.Generation, c.Selectors = 2, "s2"
			c.Lists = []List{{Images: images("x"), Selects: pool("b")}, {Images: images("y"), Selects: everyNode}}
		})
		l.in.Caches, l.in.Jobs = []*Cache{next}, []Job{j}
		l.wantJob(l.step(0))
		if got := statesOf(&l.in.Record.NodeCacheStatus)["x"]; got != "Removing " {
			t.Errorf("%s: x is %q", name, got)
		}
		// The node was relabeled: it may come back.
		c.Lists[0].Selects = pool("b")
		l = newLife(t, record(cached("y")).claimed(1, []*Cache{c}[:claims]...), c)
		for i := range l.in.Record.Claims {
			l.in.Record.Claims[i].Selectors = "s1"
		}
		l.in.Jobs = []Job{j}
		l.wantJob(l.step(0))
		if got := statesOf(&l.in.Record.NodeCacheStatus)["x"]; got != "Deferred " {
			t.Errorf("%s, relabeled: x is %q", name, got)
		}
	}
}

// A claim may hold the selectors of before an edit, for an image that is still
// to be removed. What a Job brings that was made since is not of that time.
func TestRelabelingInMidPullAfterAnEdit(t *testing.T) {
	c := cache("c", "x").with(func(c *Cache) { c.Generation, c.Selectors = 2, "s2" })
	c.Lists[0].Selects = pool("b")
	old := cached("y")
	old.State = v1alpha2.ImageStateRemoving
	l := newLife(t, record(old).claimed(2, c), c)
	l.in.Record.Claims[0].Selectors = "s1"
	j := jobFor(c, time.Second, "x")
	j.Selectors = "s2"
	l.in.Jobs = []Job{j}
	l.wantJob(l.step(0))
	if got := statesOf(&l.in.Record.NodeCacheStatus)["x"]; got != "Deferred " {
		t.Errorf("x is %q", got)
	}
}
