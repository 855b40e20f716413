package plan

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

// aside is the input of a node whose Job 1 was left to its slow image "slow";
// events say that "first" has arrived before it.
func aside(since time.Duration) NodeInput {
	c := cache("c", "first", "slow", "behind")
	r := record(deferred("slow")).claimed(1, c)
	r.Sequence, r.SlowJob = 1, 1
	j := jobFor(c, since, "first", "slow", "behind").pulling(1, since)
	j.Attempt.Arrived = []int{0}
	in := input(r, c)
	in.Jobs = []Job{j}
	count := newLedger(r.NodeCacheStatus)
	count.count(Wants(&in.Node, in.Caches))
	in.Record.NodeCacheStatus = count.status
	return in
}

func TestSlowJobIsLeftAlone(t *testing.T) {
	c := cache("c", "first", "slow", "behind")
	in := input(record().claimed(1, c), c)
	in.Jobs = []Job{jobFor(c, time.Minute, "first", "slow", "behind").pulling(1, SlowPull)}
	s := Decide(in).written()
	if s == nil || s.SlowJob != 1 || s.Sequence != 1 || find(s, "slow").State != v1alpha2.ImageStateDeferred {
		t.Errorf("written %+v", s)
	}
}

func TestOthersGoOnBesideASlowJob(t *testing.T) {
	d := Decide(aside(time.Minute))
	if diff := cmp.Diff([]string{"first"}, d.created()); diff != "" {
		t.Errorf("what has arrived goes first:\n%s", diff)
	}
	if spec := d.Actions[0].(CreateJob).Spec; spec.Sequence != 2 || !slices.Equal(spec.Beside, []string{"default/c-1"}) {
		t.Errorf("sequence %d, beside %q", spec.Sequence, spec.Beside)
	}
	in := aside(time.Minute)
	in.Record.Images = append(in.Record.Images, cached("first"))
	in.Record.Cached, in.Record.Waiting = 1, 2
	if diff := cmp.Diff([]string{"behind"}, Decide(in).created()); diff != "" {
		t.Errorf("then the rest, but not the slow one:\n%s", diff)
	}
}

// On a kubelet that pulls one image at a time the Job beside waits for the
// slow one: its time is not up before that has ended, and counts anew then.
func TestTimeBesideASlowJob(t *testing.T) {
	in := aside(4 * time.Minute)
	beside := jobFor(in.Caches[0], 6*time.Minute, "behind").pulling(0, 6*time.Minute)
	beside.Sequence, beside.Name, beside.UID = 2, "c-2", "other"
	in.Jobs = append(in.Jobs, beside)
	if s := Decide(in).written(); s != nil {
		t.Errorf("written beside the slow Job: %+v", s.Images)
	}
	in.Record.SlowJob = 0
	in.Record.Images = []v1alpha2.ImageRecord{cached("slow"), cached("first")}
	in.Record.Cached, in.Record.Waiting = 2, 1
	in.Jobs = in.Jobs[1:]
	for age, want := range map[time.Duration]bool{4 * time.Minute: false, 5 * time.Minute: true} {
		in.Record.Images[0].Time.Time = ago(age)
		if got := Decide(in).written() != nil; got != want {
			t.Errorf("%s after the slow one ended: time is up %v, want %v", age, got, want)
		}
	}
}

func TestEndOfASlowJob(t *testing.T) {
	gone := func(in *NodeInput) { in.Jobs = nil }
	deleting := func(in *NodeInput) { in.Jobs[0].Deleting = true }
	unwanted := func(in *NodeInput) { in.Caches = []*Cache{cache("c", "first", "behind")} }
	done := func(results ...outcome.Image) func(*NodeInput) {
		return func(in *NodeInput) { in.Jobs[0] = in.Jobs[0].settled(results...) }
	}
	for name, tc := range map[string]struct {
		age   time.Duration
		setup func(*NodeInput)
		want  map[string]string
	}{
		"all pulled":       {time.Minute, done(pulled, pulled, pulled), map[string]string{"first": "Cached ", "slow": "Cached ", "behind": "Cached "}},
		"the slow one not": {time.Minute, done(pulled, notFound, notTried), map[string]string{"first": "Cached ", "slow": "Failed ImageNotFound"}},
		"time is up":       {5 * time.Minute, func(*NodeInput) {}, map[string]string{"slow": "Failed PullDeadlineExceeded"}},
		"deleted":          {time.Minute, deleting, map[string]string{"slow": "Deferred "}},
		"gone":             {time.Minute, gone, map[string]string{"slow": "Deferred "}},
		"nobody wants it":  {time.Minute, unwanted, map[string]string{"slow": "Removing "}},
	} {
		t.Run(name, func(t *testing.T) {
			d := Decide(aside(tc.age).with(tc.setup))
			s := d.written()
			if s == nil || s.SlowJob != 0 {
				t.Fatalf("the wait for the Job goes on: %+v %q", s, d.Notes)
			}
			if diff := cmp.Diff(tc.want, states(s)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOneSlowJobAtATime(t *testing.T) {
	in := aside(time.Minute)
	beside := jobFor(in.Caches[0], time.Minute, "behind").pulling(0, time.Minute)
	beside.Sequence, beside.Name, beside.UID = 2, "c-2", "other"
	in.Jobs = append(in.Jobs, beside)
	if d := Decide(in); d.written() != nil || d.RequeueAfter != pollInterval {
		t.Errorf("actions %v, requeue %s", d.kinds(), d.RequeueAfter)
	}
}

// What events say has failed is told while the others are still pulled, and is
// one attempt, not two, when the Job is settled.
func TestFailureIsToldEarly(t *testing.T) {
	c := cache("c", "gone", "big")
	in := input(record().claimed(1, c), c)
	j := jobFor(c, SlowPull-time.Second, "gone", "big").pulling(1, time.Second)
	j.Attempt.Failing = map[int]outcome.Image{0: notFound}
	in.Jobs = []Job{j}
	s := Decide(in).written()
	if s == nil || s.Sequence != 0 || find(s, "gone").Reason != v1alpha2.ReasonImageNotFound || find(s, "big") != nil {
		t.Fatalf("written %+v", s)
	}
	in.Record.NodeCacheStatus = *s
	if d := Decide(in); len(d.Actions) != 0 {
		t.Errorf("told twice: %v", d.kinds())
	}
	in.Jobs[0] = j.settled(notFound, pulled)
	s = Decide(in).written()
	if rec := find(s, "gone"); rec.Attempts != 1 || find(s, "big").State != v1alpha2.ImageStateCached {
		t.Errorf("%d attempts, want 1", rec.Attempts)
	}
}

// A pod of ours without a readable number is nobody's slow Job.
func TestPodWithoutNumberWritesNothing(t *testing.T) {
	c := cache("c", "a")
	r := record(cached("a")).claimed(1, c)
	r.Sequence, r.Cached = 1, 1
	in := input(r, c)
	in.Jobs = []Job{{Namespace: "default", Name: "odd", NodeUID: in.Node.UID, Gone: true, PodRunning: true}}
	if d := Decide(in); len(d.Actions) != 0 {
		t.Errorf("actions %v", d.kinds())
	}
}
