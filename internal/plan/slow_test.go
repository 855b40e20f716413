package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

// TestTime covers what time does to a Job that has not ended: images that
// give way, deadlines, pods that never start.
func TestTime(t *testing.T) {
	one := cache("one", "a")
	two := cache("two", "a", "b")
	short := two.with(func(c *Cache) { c.PullDeadline = time.Minute })
	unstarted := func(age time.Duration) Job {
		j := jobFor(two, age, "a", "b")
		j.Attempt.Started = time.Time{}
		return j
	}
	away := func(in *NodeInput) { in.Node.Unavailable = v1alpha2.WaitingNotReady }
	tests := map[string]struct {
		cache  *Cache
		job    Job
		record *Record
		setup  func(*NodeInput)
		// want are the records' states and reasons by image; nil for no write.
		want map[string]string
		wait string
	}{
		"at work":                      {cache: two, job: jobFor(two, 15*time.Second, "a", "b")},
		"pulled for 9 s":               {cache: two, job: jobFor(two, time.Minute, "a", "b").pulling(0, 9*time.Second)},
		"pulled for 10 s gives way":    {cache: two, job: jobFor(two, time.Minute, "a", "b").pulling(0, 10*time.Second), want: map[string]string{"a": "Deferred "}},
		"alone and nothing else waits": {cache: one, job: jobFor(one, time.Minute, "a").pulling(0, 30*time.Second)},
		"alone, and another waits":     {cache: two, job: jobFor(two, time.Minute, "a").pulling(0, 30*time.Second), want: map[string]string{"a": "Deferred "}},
		"nobody gives way twice": {cache: two, job: jobFor(two, time.Minute, "a").pulling(0, 30*time.Second),
			record: record(deferred("a")).claimed(1, two)},
		"a failed one is not slow": {cache: two, job: jobFor(two, time.Minute, "a").pulling(0, 30*time.Second),
			record: record(failed("a", v1alpha2.ReasonRegistryUnavailable, 1, time.Hour)).claimed(1, two)},
		"a large image may take its time": {cache: two, job: jobFor(two, time.Minute, "a").pulling(0, 30*time.Second),
			setup: sizes(map[string]int64{"a": 2000})},
		"what has ended is kept, what is unwanted goes when it has come": {cache: two, want: map[string]string{"a": "Cached ", "b": "Deferred ", "c": "Removing "},
			job: func() Job {
				j := jobFor(two, time.Minute, "a", "b").pulling(1, 30*time.Second)
				j.Attempt.Images[0] = pulled
				j.Images = append(j.Images, "c")
				j.Attempt.Images = append(j.Attempt.Images, outcome.Image{})
				return j
			}()},
		"deadline since its pull began": {cache: short, job: jobFor(short, 10*time.Minute, "a", "b").pulling(1, time.Minute),
			record: record(deferred("b")).claimed(1, short),
			want:   map[string]string{"b": "Failed PullDeadlineExceeded"}},
		"deadline without events, two open": {cache: short, job: jobFor(short, 2*time.Minute, "a", "b"),
			want: map[string]string{"a": "Deferred ", "b": "Deferred "}},
		"not yet, two open": {cache: short, job: jobFor(short, 119*time.Second, "a", "b")},
		"deadline without events, one open": {cache: short, job: jobFor(short, time.Minute, "a"),
			want: map[string]string{"a": "Failed PullDeadlineExceeded"}},
		"deadline on a node that is away": {cache: short, job: jobFor(short, 2*time.Minute, "a", "b"), setup: away,
			want: map[string]string{}, wait: "NotStarted"},
		"no pod for nine minutes":       {cache: two, job: unstarted(9 * time.Minute)},
		"no pod for ten minutes":        {cache: two, job: unstarted(10 * time.Minute), want: map[string]string{}, wait: "NotStarted"},
		"no pod, the node is away 59 s": {cache: two, job: unstarted(59 * time.Second), setup: away},
		"no pod, the node is away 60 s": {cache: two, job: unstarted(time.Minute), setup: away, want: map[string]string{}, wait: "NotStarted"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			r := tc.record
			if r == nil {
				r = record().claimed(1, tc.cache)
			}
			in := input(r, tc.cache).with(func(in *NodeInput) { in.Jobs = []Job{tc.job} })
			if tc.setup != nil {
				in = in.with(tc.setup)
			}
			count := newLedger(r.NodeCacheStatus)
			count.count(Wants(&in.Node, in.Caches))
			in.Record.NodeCacheStatus = count.status
			d := Decide(in)
			if diff := cmp.Diff(tc.want, states(d.written())); diff != "" {
				t.Errorf("%s\n%q", diff, d.Notes)
			}
			if s := d.written(); tc.wait != "" && (s.Wait == nil || s.Wait.Reason != tc.wait) {
				t.Errorf("wait %+v, want %s", s.Wait, tc.wait)
			}
			if d.written() == nil && (d.RequeueAfter == 0 || d.RequeueAfter > pollInterval) {
				t.Errorf("a running Job is looked at again after %s", d.RequeueAfter)
			}
		})
	}
}

// states tells the records of a status in words.
func states(s *v1alpha2.NodeCacheStatus) map[string]string {
	if s == nil {
		return nil
	}
	words := map[string]string{}
	for i := range s.Images {
		words[s.Images[i].Image] = string(s.Images[i].State) + " " + s.Images[i].Reason
	}
	return words
}
