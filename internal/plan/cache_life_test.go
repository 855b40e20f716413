package plan

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// told is an ImageCache as its users see it while the node of a life acts.
type told struct {
	*life
	status v1alpha2.ImageCacheStatus
	last   CacheDecision
	events []string
	others []NodeView
}

func newTold(t *testing.T, r *Record, c *Cache) *told { return &told{life: newLife(t, r, c)} }

// look writes the status and checks that a second look changes nothing.
func (l *told) look() *v1alpha2.ImageCacheStatus {
	l.t.Helper()
	c := l.in.Caches[0]
	v := NodeView{Node: &l.in.Node, Record: &l.in.Record.NodeCacheStatus}
	in := CacheInput{Now: l.in.Now, Cache: c, Nodes: append([]NodeView{v}, l.others...), Previous: l.status}
	l.last = Status(in)
	for _, e := range l.last.Events {
		kind := "Normal"
		if e.Warning {
			kind = "Warning"
		}
		l.events = append(l.events, kind+" "+e.Reason+": "+e.Message)
	}
	l.status = l.last.Status
	in.Now, in.Previous = l.in.Now.Add(time.Hour), l.status
	again := Status(in)
	if diff := cmp.Diff(l.status, again.Status); diff != "" || len(again.Events) > 0 {
		l.t.Errorf("would be written again an hour later: %v\n%s", again.Events, diff)
	}
	return &l.status
}

// says checks word, reason, message and counts in one line.
func (l *told) says(want string) {
	l.t.Helper()
	s := l.look()
	got := fmt.Sprintf("%s %s %s, %d to remove", s.Status, strings.TrimPrefix(s.Reason, "ImageCache"), s.Progress, s.Removing)
	if op := s.LastOperation; op != nil {
		got += fmt.Sprintf(", %s %d/%d", op.Kind, op.Served, op.Nodes)
		if op.CompletionTime != nil {
			got += " done"
		}
	}
	if got != want {
		l.t.Errorf("got  %s\nwant %s", got, want)
	}
}

// condition tells a condition in words.
func (l *told) condition(kind string) string {
	c := meta.FindStatusCondition(l.status.Conditions, kind)
	if c == nil {
		return "none"
	}
	return string(c.Status) + " " + c.Reason + ": " + c.Message
}

func (l *told) wantConditions(words map[string]string) {
	l.t.Helper()
	for kind, want := range words {
		if got := l.condition(kind); got != want {
			l.t.Errorf("%s is %q, want %q", kind, got, want)
		}
	}
}

func (l *told) wantEvents(want ...string) {
	l.t.Helper()
	if diff := cmp.Diff(want, l.events); diff != "" {
		l.t.Errorf("events: %s", diff)
	}
	l.events = nil
}

// ask changes the ImageCache and lets the status look before the node does.
func (l *told) ask(next *Cache, want string) {
	l.t.Helper()
	l.in.Caches = []*Cache{next}
	l.says(want)
}

func (l *told) message(want string) {
	l.t.Helper()
	if l.status.Message != want {
		l.t.Errorf("message %q", l.status.Message)
	}
}

func settledLife(t *testing.T, refs ...string) (*told, *Cache) {
	t.Helper()
	c := cache("c", refs...)
	r := record()
	for _, ref := range refs {
		r.Images = append(r.Images, cached(ref))
	}
	l := newTold(t, r.claimed(1, c), c)
	l.step(0)
	l.says(fmt.Sprintf("Succeeded Create %d/%d, 0 to remove", len(refs), len(refs)))
	l.events = nil
	return l, c
}

func TestStatusOfAPurgeAndARefresh(t *testing.T) {
	l, c := settledLife(t, "x", "y")
	c = asked(c, OperationPurge)
	l.ask(c, "Processing Purge 0/0, 2 to remove, purge 0/1")
	l.message(v1alpha2.MessagePurgingCache)
	l.wantConditions(map[string]string{
		"Ready":       "False Purging: the images are being purged",
		"Progressing": "True Purging: 0 of 1 nodes purged, 2 images to be removed",
		"Purged":      "False Purging: 2 images to be removed",
	})
	job := l.step(0)
	l.wantJob(job, "remove", "x", "y")
	l.says("Processing Purge 0/0, 2 to remove, purge 0/1")
	if l.last.Served {
		t.Error("served before the images are gone")
	}
	l.finish(job, removed, removed)
	l.step(time.Second)
	l.says("Succeeded Purge 0/0, 0 to remove, purge 1/1 done")
	l.message(v1alpha2.MessageImagesDeleted)
	l.wantEvents("Normal ImageCachePurge: " + v1alpha2.MessageImagesDeleted)
	l.wantConditions(map[string]string{
		"Ready":       "False Purged: the images were purged",
		"Progressing": "False Settled: nothing left to do",
		"Degraded":    "False NoFailures: no pair failed",
		"Purged":      "True Purged: the images are off the nodes",
	})
	if !l.last.Served {
		t.Error("not served")
	}

	c = asked(c, OperationRefresh)
	l.ask(c, "Processing Refresh 0/2, 0 to remove, refresh 0/1")
	l.message(v1alpha2.MessageRefreshingCache)
	l.wantConditions(map[string]string{"Purged": "False NotPurged: refreshed or edited since the last purge"})
	job = l.step(time.Second)
	l.wantJob(job, "pull", "x", "y")
	l.finish(job, pulled, notTried)
	l.says("Processing Refresh 1/2, 0 to remove, refresh 0/1")
	l.finish(l.step(time.Second), pulled)
	l.says("Succeeded Refresh 2/2, 0 to remove, refresh 1/1 done")
	l.message(v1alpha2.MessageImagesPulled)
	l.wantEvents("Normal ImageCacheRefresh: " + v1alpha2.MessageImagesPulled + " (2/2 pairs cached)")
}

// TestStatusOfARefreshInPlace: images that are there stay so while they are
// looked for, and a verification next week is no part of the refresh.
func TestStatusOfARefreshInPlace(t *testing.T) {
	l, c := settledLife(t, "x")
	c = asked(c, OperationRefresh)
	l.ask(c, "Processing Refresh 1/1, 0 to remove, refresh 0/1")
	job := l.step(0)
	l.wantJob(job, "verify", "x")
	l.says("Processing Refresh 1/1, 0 to remove, refresh 0/1")
	l.wantConditions(map[string]string{
		"Ready":       "True AllImagesCached: 1 of 1 pairs cached",
		"Progressing": "True RefreshingImages: 0 of 1 nodes refreshed",
		"Purged":      "none",
	})
	l.finish(job, pulled)
	l.says("Succeeded Refresh 1/1, 0 to remove, refresh 1/1 done")
	l.wantEvents("Normal ImageCacheRefresh: " + v1alpha2.MessageImagesPulled + " (1/1 pairs cached)")
	job = l.step(48 * time.Hour)
	l.wantJob(job, "verify", "x")
	l.says("Succeeded Refresh 1/1, 0 to remove, refresh 1/1 done")
	l.finish(job, absent)
	l.says("Processing Refresh 0/1, 0 to remove, refresh 1/1 done")
	l.finish(l.step(0), pulled)
	l.says("Succeeded Refresh 1/1, 0 to remove, refresh 1/1 done")
}

// What a node only holds on, since it was relabeled, is not what was to be
// refreshed there, whatever is due for it.
func TestStatusOfARefreshBesideAHeldImage(t *testing.T) {
	l, c := settledLife(t, "x")
	c = c.with(func(c *Cache) { c.Lists[0].Images[0].Policy = "Always" })
	l.ask(asked(c, OperationRefresh), "Processing Refresh 1/1, 0 to remove, refresh 0/1")
	l.finish(l.step(0), pulled)
	held := cached("held")
	held.Claims, held.Due = []int32{1, 2}, v1alpha2.DuePull
	l.in.Record.Images = append(l.in.Record.Images, held)
	l.says("Succeeded Refresh 1/1, 0 to remove, refresh 1/1 done")
}

func TestStatusOfARefreshThatFails(t *testing.T) {
	l, c := settledLife(t, "x")
	c = c.with(func(c *Cache) { c.Lists[0].Images[0].Policy = "Always" })
	c = asked(c, OperationRefresh)
	l.ask(c, "Processing Refresh 1/1, 0 to remove, refresh 0/1")
	l.finish(l.step(0), notFound)
	l.says("Failed Refresh 0/1, 0 to remove, refresh 1/1 done")
	l.message(v1alpha2.MessageImagePullFailed)
	if f := l.status.Failures["x"]; len(f) != 1 || f[0].Reason != v1alpha2.ReasonImageNotFound || f[0].Node != "node-1" {
		t.Errorf("failures %v", l.status.Failures)
	}
	l.ask(asked(c, OperationRefresh), "Processing Refresh 1/1, 0 to remove, refresh 0/1")
	l.finish(l.step(time.Second), pulled)
	l.says("Succeeded Refresh 1/1, 0 to remove, refresh 1/1 done")
}

// TestStatusOfAnAutomaticRefresh: nothing is written and nothing is told.
func TestStatusOfAnAutomaticRefresh(t *testing.T) {
	l, c := settledLife(t, "x")
	l.in.Caches = []*Cache{c.with(func(c *Cache) {
		c.Lists[0].Images[0].Policy, c.RefreshInterval = "Always", 10*time.Minute
	})}
	before := l.status
	job := l.step(2 * time.Hour)
	l.wantJob(job, "pull", "x")
	l.look()
	l.finish(job, pulled)
	if diff := cmp.Diff(before, *l.look()); diff != "" {
		t.Error(diff)
	}
	l.wantEvents()
}

func TestStatusOfAnEditThatRemoves(t *testing.T) {
	l, c := settledLife(t, "x", "y")
	l.ask(edited(c, "y"), "Processing Update 1/1, 1 to remove")
	l.message(v1alpha2.MessageUpdatingCache)
	l.wantConditions(map[string]string{
		"Ready":       "True AllImagesCached: 1 of 1 pairs cached",
		"Progressing": "True RemovingImages: 1 images to be removed",
	})
	job := l.step(0)
	l.wantJob(job, "remove", "x")
	l.says("Processing Update 1/1, 1 to remove")
	l.finish(job, inUse)
	l.says("Failed Update 1/1, 1 to remove")
	l.message(v1alpha2.MessageImageDeletionFailed)
	want := map[string]v1alpha2.NodeReasonMessageList{"x": {{Node: "node-1", Reason: "ImageInUse", Message: "used by pod a/b"}}}
	if diff := cmp.Diff(want, l.status.Failures); diff != "" {
		t.Error(diff)
	}
	l.wantConditions(map[string]string{
		"Ready":       "True AllImagesCached: 1 of 1 pairs cached",
		"Progressing": "False Settled: nothing left to do",
		"Degraded":    "True ImageRemovalFailed: 1 images could not be removed, for example x on node-1: ImageInUse",
	})
	l.wantEvents("Warning ImageCacheUpdate: " + v1alpha2.MessageImageDeletionFailed + " (1/1 pairs cached)")
	job = l.step(2 * time.Hour)
	l.wantJob(job, "remove", "x")
	l.says("Failed Update 1/1, 1 to remove") // it is tried again: no flapping
	l.finish(job, removed)
	l.says("Succeeded Update 1/1, 0 to remove")
	l.wantEvents("Normal ImageCacheUpdate: " + v1alpha2.MessageImagesPulled + " (1/1 pairs cached)")
}

// TestStatusOfWhatOthersHold: an image that stays because another ImageCache or
// another name needs it is not this one's to be removed.
func TestStatusOfWhatOthersHold(t *testing.T) {
	l, c := settledLife(t, "x", "y")
	other := cache("other", "x")
	l.in.Caches = []*Cache{c, other}
	l.step(0)
	l.in.Caches[0] = edited(c, "z")
	l.says("Processing Update 0/1, 1 to remove") // y
	l.finish(l.step(0), pulled)
	l.finish(l.step(0), shared)
	l.says("Succeeded Update 1/1, 0 to remove")
	l.want(map[string]string{"x": "Cached ", "y": "Removing ImageShared", "z": "Cached "})
}

// TestStatusOfWaitingNodes: a node that is away does not hold up a purge, and
// is served when it returns.
func TestStatusOfWaitingNodes(t *testing.T) {
	l, c := settledLife(t, "x")
	away := view("node-2", record(cached("x")).claimed(1, c)).with(away)
	l.others = []NodeView{away}
	l.look()
	l.events = nil
	c = asked(c, OperationPurge)
	l.ask(c, "Processing Purge 0/0, 2 to remove, purge 0/1")
	l.finish(l.step(0), removed)
	l.step(0)
	l.says("Succeeded Purge 0/0, 1 to remove, purge 1/1 done")
	l.wantConditions(map[string]string{"Purged": "True Purged: the images are off the nodes; 1 nodes wait"})
	l.wantEvents("Normal ImageCachePurge: " + v1alpha2.MessageImagesDeleted + "; 1 nodes wait")
	if w := l.status.Nodes.WaitingReasons[v1alpha2.WaitingNotReady]; w != 1 || l.status.Nodes.Waiting != 1 {
		t.Errorf("nodes %+v", l.status.Nodes)
	}
	l.others[0].Node.Unavailable = ""
	l.says("Processing Purge 0/0, 1 to remove, purge 1/1 done")
	l.others[0].Record = nil
	l.says("Succeeded Purge 0/0, 0 to remove, purge 1/1 done")
}

func TestStatusOfAllNodesAway(t *testing.T) {
	for kind, want := range map[OperationKind]string{
		OperationPurge:   "Processing Purge 0/0, 1 to remove, purge 0/0",
		OperationRefresh: "Processing Refresh 1/1, 0 to remove, refresh 0/0",
	} {
		l, c := settledLife(t, "x")
		l.in.Node.Unavailable = v1alpha2.WaitingNotReady
		l.ask(asked(c, kind), want)
		if !l.last.Served {
			t.Errorf("%s: a request would wait for nodes that are away", kind)
		}
		l.wantConditions(map[string]string{"Progressing": "False NodesWaiting: all selected nodes wait" + waits(kind)})
	}
}

// waits: of a refresh no pair waits, the images are there.
func waits(kind OperationKind) string {
	if kind == OperationPurge {
		return "; 1 nodes wait: 1 NotReady"
	}
	return ""
}

// TestStatusOfALiftedPurge: an edit ends it, and so does the loss of the
// annotation that holds it; the message must not speak of purging then.
func TestStatusOfALiftedPurge(t *testing.T) {
	for name, lift := range map[string]func(*Cache){
		"edit":               func(c *Cache) { c.Generation++ },
		"damaged annotation": func(c *Cache) { c.Operation = Operation{} },
	} {
		l, c := settledLife(t, "x")
		c = asked(c, OperationPurge)
		l.ask(c, "Processing Purge 0/0, 1 to remove, purge 0/1")
		l.finish(l.step(0), removed)
		l.step(0)
		l.look()
		l.events = nil
		l.in.Caches = []*Cache{c.with(lift)}
		s := l.look()
		if s.Status != "Processing" || s.Reason != v1alpha2.ImageCacheReasonUpdate || s.Message != v1alpha2.MessageUpdatingCache {
			t.Errorf("%s: %s %s %q", name, s.Status, s.Reason, s.Message)
		}
		l.finish(l.step(0), pulled)
		l.look()
		l.wantEvents("Normal ImageCacheUpdate: " + v1alpha2.MessageImagesPulled + " (1/1 pairs cached)")
	}
}

func TestSuspendedRefreshWaits(t *testing.T) {
	l, c := settledLife(t, "x")
	c = asked(c, OperationRefresh).with(func(c *Cache) { c.Suspend = true })
	l.ask(c, "Processing Refresh 1/1, 0 to remove, refresh 0/0")
	l.wantConditions(map[string]string{"Progressing": "False Suspended: spec.suspend is true"})
	c = c.with(func(c *Cache) { c.Suspend, c.Generation = false, 2 })
	l.ask(c, "Processing Update 1/1, 0 to remove, refresh 0/1")
	l.finish(l.step(0), pulled)
	l.says("Succeeded Update 1/1, 0 to remove, refresh 1/1 done")
}

// TestASecondRefreshIsTold also when the nodes were faster than the status, and
// nothing but its id tells it from the first.
func TestASecondRefreshIsTold(t *testing.T) {
	l, c := settledLife(t, "x")
	for range 2 {
		c = asked(c, OperationRefresh)
		l.in.Caches = []*Cache{c}
		l.finish(l.step(time.Minute), pulled)
		l.says("Succeeded Refresh 1/1, 0 to remove, refresh 1/1 done")
		l.wantEvents("Normal ImageCacheRefresh: " + v1alpha2.MessageImagesPulled + " (1/1 pairs cached)")
		if !l.status.StartTime.Time.Equal(l.in.Now) {
			t.Errorf("began %s, it is %s", l.status.StartTime, l.in.Now)
		}
	}
}
