package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

// flight is a Job of spec that is under way.
func flight(spec *JobSpec) Job {
	j := jobFor(spec.Owner, time.Second)
	j.Kind, j.Sequence, j.Name = spec.Kind, spec.Sequence, spec.Owner.Name+string(rune('0'+spec.Sequence))
	for _, w := range spec.Images {
		j.Images = append(j.Images, w.Image)
		j.Attempt.Images = append(j.Attempt.Images, notTried)
		j.Attempt.Images[len(j.Attempt.Images)-1].Kind = ""
	}
	return j
}

// Several Jobs pull onto one node, and are recorded in whatever order they end.
func TestPullsPerNode(t *testing.T) {
	c := cache("c", "a", "b", "x")
	l := newLife(t, record(), c)
	l.in.Options.PullsPerNode, l.in.Options.ImagesPerJob = 2, 1
	first := l.step(0)
	one := flight(first)
	l.in.Jobs = []Job{one}
	second := l.step(0)
	two := flight(second)
	if first.Sequence != 1 || second.Sequence != 2 || first.Images[0].Image == second.Images[0].Image {
		t.Fatalf("%+v\n%+v", first, second)
	}
	l.in.Jobs = []Job{one, two}
	l.wantJob(l.step(0))
	two = two.settled(pulled)
	two.PodRunning = false
	l.in.Jobs = []Job{one, two}
	l.in.Record.NodeCacheStatus = *Decide(l.in).written()
	if s := l.in.Record; s.Sequence != 2 || !cmp.Equal(s.OpenJobs, []int64{1}) {
		t.Fatalf("sequence %d, open %v", s.Sequence, s.OpenJobs)
	}
	third := l.step(0)
	l.wantJob(third, "pull", "x")
	l.in.Jobs = []Job{one.settled(pulled), flight(third)}
	l.in.Record.NodeCacheStatus = *Decide(l.in).written()
	if s := l.in.Record; s.Sequence != 2 || len(s.OpenJobs) > 0 || len(s.Images) != 2 {
		t.Fatalf("%+v", s.NodeCacheStatus)
	}
}

// What a lost Job leaves open is not waited for.
func TestOpenJobIsForgotten(t *testing.T) {
	c := cache("c", "a")
	r := record(cached("a")).claimed(1, c)
	r.Sequence, r.OpenJobs = 2, []int64{1}
	if s := Decide(input(r, c)).written(); s == nil || len(s.OpenJobs) > 0 {
		t.Errorf("%+v", s)
	}
}

// A removal waits until the pulls have ended, and no new one begins.
func TestRemovalDrainsTheNode(t *testing.T) {
	c := cache("c", "x", "a", "b")
	l := newLife(t, record(cached("x")).claimed(1, c), edited(c, "a", "b"))
	l.in.Options.PullsPerNode, l.in.Options.ImagesPerJob = 2, 1
	one := flight(l.step(0))
	l.in.Jobs = []Job{one}
	l.wantJob(l.step(removalPatience))
	l.in.Jobs = nil
	l.wantJob(l.step(0), "remove", "x")
}

// Finished Jobs that are retained are neither deleted nor in the way.
func TestRetainedJobs(t *testing.T) {
	c := cache("c", "a", "b")
	r := record(cached("a")).claimed(1, c)
	r.Sequence, r.Cached, r.Waiting = 1, 1, 1
	j := jobFor(c, time.Minute, "a").settled(pulled)
	j.PodRunning, j.Finished = false, true
	in := input(r, c).with(func(in *NodeInput) { in.Jobs, in.Options.RetainJobs = []Job{j}, true })
	if diff := cmp.Diff([]string{"create"}, Decide(in).kinds()); diff != "" {
		t.Error(diff)
	}
	in.Jobs[0].Finished = false // its pod has ended, the Job controller will see it
	if diff := cmp.Diff([]string{"create"}, Decide(in).kinds()); diff != "" {
		t.Error(diff)
	}
	in.Jobs[0].Attempt.Started = time.Time{} // no pod
	if diff := cmp.Diff([]string{"delete"}, Decide(in).kinds()); diff != "" {
		t.Error(diff)
	}
	in.Jobs[0].PodRunning = true // in back-off: its kubelet would go on asking
	in.Jobs[0].Attempt.Images = []outcome.Image{notFound}
	if diff := cmp.Diff([]string{"delete"}, Decide(in).kinds()); diff != "" {
		t.Error(diff)
	}
	in.Jobs[0].Kind, in.Jobs[0].Created = JobRemove, now // has told, and ends in a moment
	if diff := cmp.Diff([]string(nil), Decide(in).kinds()); diff != "" {
		t.Error(diff)
	}
}

// A Job that is deleted before it ended holds its node until its pods are gone,
// whether an informer has shown one or not.
func TestDeletedJobHoldsTheNode(t *testing.T) {
	c := cache("c", "a")
	l := newLife(t, record(cached("x")).claimed(1, c), edited(c))
	j := jobFor(c, time.Second, "a")
	j.PodRunning, j.Attempt.Started = false, time.Time{}
	l.in.Jobs = []Job{j}
	l.wantJob(l.step(0))
	l.want(map[string]string{"x": "Removing ", "a": "Removing "})
	if d := Decide(l.in); len(d.Actions) != 1 || !d.Actions[0].(DeleteJob).Foreground {
		t.Fatalf("%+v", d.Actions)
	}
	l.in.Jobs[0].Deleting = true
	l.wantJob(l.step(0))
	l.in.Jobs = nil
	l.wantJob(l.step(0), "remove", "a", "x")
}

// What a Job of a deleted record shows is old news: it may have been undone.
func TestJobOfADeletedRecord(t *testing.T) {
	c := cache("c", "a")
	j := jobFor(c, time.Minute, "a").settled(pulled)
	j.PodRunning, j.Finished, j.Record = false, true, "earlier"
	d := Decide(input(record(), c).with(func(in *NodeInput) { in.Jobs, in.Options.RetainJobs = []Job{j}, true }))
	if diff := cmp.Diff([]string{"delete", "create"}, d.kinds()); diff != "" {
		t.Error(diff)
	}
}
