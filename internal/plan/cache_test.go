package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// view is a node and its record; nil while it has none.
func view(name string, r *Record) NodeView {
	n := node()
	n.Name = name
	v := NodeView{Node: &n}
	if r != nil {
		v.Record = &r.NodeCacheStatus
	}
	return v
}

func (v NodeView) with(edit func(*NodeView)) NodeView {
	edit(&v)
	return v
}

func away(v *NodeView) { v.Node.Unavailable = v1alpha2.WaitingNotReady }

func flying(refs ...string) func(*NodeView) {
	return func(v *NodeView) {
		v.InFlight = map[Key]bool{}
		for _, ref := range refs {
			v.InFlight[Key{ref, IdentityNode}] = true
		}
	}
}

func TestStatusWordsAndCounts(t *testing.T) {
	c := cache("c", "x", "y")
	suspended := c.with(func(c *Cache) { c.Suspend = true })
	edited := c.with(func(c *Cache) { c.Generation = 2 })
	bad := failed("y", v1alpha2.ReasonImageNotFound, 1, time.Minute)
	replaced := record(cached("x"), cached("y"))
	replaced.NodeUID = "old"
	refusing := record(cached("x"))
	refusing.Wait = &v1alpha2.NodeWait{Reason: "OutOfpods"}
	type counts = v1alpha2.PairCounts
	tests := map[string]struct {
		cache  *Cache
		nodes  []NodeView
		word   v1alpha2.ImageCacheActionStatus
		counts counts
	}{
		"no nodes":            {c, nil, "NoImagesPulledOrDeleted", counts{}},
		"no node is selected": {c.with(func(c *Cache) { c.Lists = []List{{Images: images("x"), Selects: pool("b")}} }), []NodeView{view("a", nil)}, "NoImagesPulledOrDeleted", counts{}},
		"nothing begun":       {c, []NodeView{view("a", nil)}, "Processing", counts{Desired: 2, Pending: 2}},
		"one is pulled":       {c, []NodeView{view("a", record(cached("x"))).with(flying("y"))}, "Processing", counts{Desired: 2, Cached: 1, Pulling: 1}},
		"all there":           {c, []NodeView{view("a", record(cached("x"), cached("y")))}, "Succeeded", counts{Desired: 2, Cached: 2}},
		"one failed":          {c, []NodeView{view("a", record(cached("x"), bad))}, "Failed", counts{Desired: 2, Cached: 1, Failed: 1}},
		"one failed and is tried again": {c, []NodeView{view("a", record(cached("x"), bad)).with(flying("y"))}, "Failed",
			counts{Desired: 2, Cached: 1, Failed: 1}},
		"one failed, others go on": {c, []NodeView{view("a", record(cached("x"), bad)), view("b", nil)}, "Processing",
			counts{Desired: 4, Cached: 1, Failed: 1, Pending: 2}},
		"a failure of the spec before": {edited, []NodeView{view("a", record(cached("x"), bad).claimed(1, c))}, "Processing",
			counts{Desired: 2, Cached: 1, Pending: 1}},
		"a failure of this spec": {edited, []NodeView{view("a", record(cached("x"), bad).claimed(2, c))}, "Failed",
			counts{Desired: 2, Cached: 1, Failed: 1}},
		"a deferred image is pending": {c, []NodeView{view("a", record(cached("x"), deferred("y")))}, "Processing",
			counts{Desired: 2, Cached: 1, Pending: 1}},
		"one node waits": {c, []NodeView{view("a", record(cached("x"), cached("y"))), view("b", nil).with(away)}, "Succeeded",
			counts{Desired: 4, Cached: 2, Waiting: 2}},
		"all nodes wait":       {c, []NodeView{view("a", nil).with(away)}, "Processing", counts{Desired: 2, Waiting: 2}},
		"a node refuses pods":  {c, []NodeView{view("a", refusing)}, "Succeeded", counts{Desired: 2, Cached: 1, Waiting: 1}},
		"suspended":            {suspended, []NodeView{view("a", record(cached("x")))}, "Succeeded", counts{Desired: 2, Cached: 1, Waiting: 1}},
		"suspended, in flight": {suspended, []NodeView{view("a", record(cached("x"))).with(flying("y"))}, "Succeeded", counts{Desired: 2, Cached: 1, Pulling: 1}},
		"a record of a replaced node": {c, []NodeView{view("a", replaced)}, "Processing",
			counts{Desired: 2, Pending: 2}},
		"cached for another identity": {c.with(func(c *Cache) { c.Identity = "abc" }), []NodeView{view("a", record(cached("x"), cached("y")))}, "Processing",
			counts{Desired: 2, Pending: 2}},
		"a name that cannot be parsed": {c.with(func(c *Cache) {
			c.Lists = []List{{Images: append(images("x"), Image{Name: "A:", Invalid: "bad"}), Selects: everyNode}}
		}), []NodeView{view("a", record(cached("x")))}, "Failed", counts{Desired: 2, Cached: 1, Failed: 1}},
		"being deleted": {c.with(func(c *Cache) { c.Deleting = true }), []NodeView{view("a", record(cached("x")))}, "NoImagesPulledOrDeleted", counts{}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := Status(CacheInput{Now: now, Cache: tc.cache, Nodes: tc.nodes}).Status
			if s.Status != tc.word {
				t.Errorf("word %s, want %s", s.Status, tc.word)
			}
			if diff := cmp.Diff(tc.counts, s.PairCounts); diff != "" {
				t.Error(diff)
			}
			if s.ObservedGeneration != tc.cache.Generation {
				t.Errorf("observed generation %d", s.ObservedGeneration)
			}
		})
	}
}

func TestStatusDetails(t *testing.T) {
	c := cache("c", "x", "y")
	s := Status(CacheInput{Now: now, Cache: c, Nodes: []NodeView{
		view("a", record(cached("x"), cached("y"))),
		view("b", record(cached("x"), failed("y", v1alpha2.ReasonUnauthorized, 1, 0))),
		view("c", nil).with(away),
	}}).Status
	want := v1alpha2.ImageCacheStatus{
		Progress: "3/6",
		Nodes:    v1alpha2.NodeCounts{Selected: 3, Complete: 1, Waiting: 1, WaitingReasons: map[string]int32{"NotReady": 1}},
		Failures: map[string]v1alpha2.NodeReasonMessageList{"y": {{Node: "b", Reason: "Unauthorized"}}},
		Images: []v1alpha2.ImageSummary{
			{Image: "x", PairCounts: v1alpha2.PairCounts{Desired: 3, Cached: 2, Waiting: 1}},
			{Image: "y", PairCounts: v1alpha2.PairCounts{Desired: 3, Cached: 1, Failed: 1, Waiting: 1}},
		},
	}
	got := v1alpha2.ImageCacheStatus{Progress: s.Progress, Nodes: s.Nodes, Failures: s.Failures, Images: s.Images}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestOperation covers reason, message, start and completion over the life of
// an ImageCache, and the events on the way.
func TestOperation(t *testing.T) {
	c := cache("c", "x")
	edited := c.with(func(c *Cache) { c.Generation = 2 })
	bad := record(failed("x", v1alpha2.ReasonImageNotFound, 1, 0)).claimed(2, c)
	steps := []struct {
		name       string
		cache      *Cache
		nodes      []NodeView
		reason     string
		message    string
		start, end int // minutes; end -1 for none
		event      string
	}{
		{"created", c, []NodeView{view("a", nil)}, "ImageCacheCreate", v1alpha2.MessagePullingImages, 0, -1, ""},
		{"at work", c, []NodeView{view("a", nil).with(flying("x"))}, "ImageCacheCreate", v1alpha2.MessagePullingImages, 0, -1, ""},
		{"done", c, []NodeView{view("a", record(cached("x")))}, "ImageCacheCreate", v1alpha2.MessageImagesPulled, 0, 2, v1alpha2.MessageImagesPulled + " (1/1 pairs cached)"},
		{"still done", c, []NodeView{view("a", record(cached("x")))}, "ImageCacheCreate", v1alpha2.MessageImagesPulled, 0, 2, ""},
		{"a node joins", c, []NodeView{view("a", record(cached("x"))), view("b", nil)}, "ImageCacheCreate", v1alpha2.MessagePullingImages, 0, -1, ""},
		{"edited", edited, []NodeView{view("a", nil)}, "ImageCacheUpdate", v1alpha2.MessageUpdatingCache, 5, -1, ""},
		{"failed", edited, []NodeView{view("a", bad)}, "ImageCacheUpdate", v1alpha2.MessageImagePullFailed, 5, 6, v1alpha2.MessageImagePullFailed + " (0/1 pairs cached)"},
		{"still failed", edited, []NodeView{view("a", bad)}, "ImageCacheUpdate", v1alpha2.MessageImagePullFailed, 5, 6, ""},
		{"no node left", edited, nil, "ImageCacheUpdate", v1alpha2.MessageNoNodesMatched, 5, 8, v1alpha2.MessageNoNodesMatched + " (0/0 pairs cached)"},
	}
	var s v1alpha2.ImageCacheStatus
	for minute, step := range steps {
		at := now.Add(time.Duration(minute) * time.Minute)
		d := Status(CacheInput{Now: at, Cache: step.cache, Nodes: step.nodes, Previous: s})
		s = d.Status
		if s.Reason != step.reason || s.Message != step.message {
			t.Errorf("%s: %s %q", step.name, s.Reason, s.Message)
		}
		if got := int(s.StartTime.Sub(now).Minutes()); got != step.start {
			t.Errorf("%s: began in minute %d, want %d", step.name, got, step.start)
		}
		if end := s.CompletionTime; step.end < 0 && end != nil || step.end >= 0 && (end == nil || int(end.Sub(now).Minutes()) != step.end) {
			t.Errorf("%s: completed %v, want minute %d", step.name, end, step.end)
		}
		if got := eventMessage(d.Events); got != step.event {
			t.Errorf("%s: event %q, want %q", step.name, got, step.event)
		}
		if len(d.Events) > 0 && d.Events[0].Warning != (s.Status == v1alpha2.ImageCacheActionStatusFailed) {
			t.Errorf("%s: warning %v", step.name, d.Events[0].Warning)
		}
		again := Status(CacheInput{Now: at.Add(time.Hour), Cache: step.cache, Nodes: step.nodes, Previous: s})
		if diff := cmp.Diff(s, again.Status); diff != "" || len(again.Events) > 0 {
			t.Errorf("%s: would be written again an hour later\n%s", step.name, diff)
		}
	}
}

func eventMessage(events []Event) string {
	if len(events) == 0 {
		return ""
	}
	return events[0].Message
}

func TestConditions(t *testing.T) {
	c := cache("c", "x")
	bad := record(failed("x", v1alpha2.ReasonImageNotFound, 1, 0))
	invalid := []string{"a", "b", "c", "d", "e", "f", "g"}
	tests := map[string]struct {
		in   CacheInput
		want map[string]string
	}{
		"no nodes": {CacheInput{Cache: c}, map[string]string{
			"Ready":       "False NoNodesSelected: no list selects any node, or there is no image",
			"Progressing": "False Settled: nothing left to do", "Degraded": "False NoFailures: no pair failed"}},
		"pulling": {CacheInput{Cache: c, Nodes: []NodeView{view("a", nil).with(flying("x")), view("b", nil)}}, map[string]string{
			"Ready":       "False PullingImages: 0 of 2 pairs cached",
			"Progressing": "True PullingImages: 1 pairs pulling, 1 pending", "Degraded": "False NoFailures: no pair failed"}},
		"done, one node away": {CacheInput{Cache: c, Nodes: []NodeView{view("a", record(cached("x"))), view("b", nil).with(away)}}, map[string]string{
			"Ready":       "True AllImagesCached: 1 of 2 pairs cached; 1 nodes wait: 1 NotReady",
			"Progressing": "False Settled: nothing left to do", "Degraded": "False NoFailures: no pair failed"}},
		"all nodes away": {CacheInput{Cache: c, Nodes: []NodeView{view("a", nil).with(away)}}, map[string]string{
			"Ready":       "False PullingImages: 0 of 1 pairs cached; 1 nodes wait: 1 NotReady",
			"Progressing": "False NodesWaiting: all selected nodes wait; 1 nodes wait: 1 NotReady", "Degraded": "False NoFailures: no pair failed"}},
		"failed": {CacheInput{Cache: c, Nodes: []NodeView{view("a", bad)}}, map[string]string{
			"Ready":       "False ImagePullFailed: 0 of 1 pairs cached, 1 failed",
			"Progressing": "False Settled: nothing left to do",
			"Degraded":    "True ImagePullFailed: 1 pairs failed, for example x on a: ImageNotFound"}},
		"suspended, invalid spec": {
			CacheInput{Cache: c.with(func(c *Cache) { c.Suspend = true }), Nodes: []NodeView{view("a", record(cached("x")))}, SpecErrors: invalid},
			map[string]string{
				"Ready":       "True AllImagesCached: 1 of 1 pairs cached",
				"Progressing": "False Suspended: spec.suspend is true",
				"Degraded":    "True InvalidSpec: a; b; c; d; e; and 2 more"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			tc.in.Now = now
			got := map[string]string{}
			for _, c := range Status(tc.in).Status.Conditions {
				got[c.Type] = string(c.Status) + " " + c.Reason + ": " + c.Message
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestConditionTransitions(t *testing.T) {
	c := cache("c", "x")
	first := Status(CacheInput{Now: now, Cache: c, Nodes: []NodeView{view("a", nil)}}).Status
	first.Conditions = append(first.Conditions, metav1.Condition{Type: "Other", Status: metav1.ConditionTrue})
	later := Status(CacheInput{Now: now.Add(time.Hour), Cache: c, Nodes: []NodeView{view("a", record(cached("x")))}, Previous: first}).Status
	moved := map[string]bool{"Ready": true, "Progressing": true, "Degraded": false}
	for kind, moves := range moved {
		cond := meta.FindStatusCondition(later.Conditions, kind)
		if cond.LastTransitionTime.After(now) != moves {
			t.Errorf("%s: transition at %s", kind, cond.LastTransitionTime)
		}
	}
	if meta.FindStatusCondition(later.Conditions, "Other") == nil {
		t.Error("a condition of somebody else is gone")
	}
	if diff := cmp.Diff(corev1.ConditionTrue, corev1.ConditionStatus(meta.FindStatusCondition(later.Conditions, "Ready").Status), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}
