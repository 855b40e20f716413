package plan

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

// spent is a node whose Job 1 has brought image "a" and still runs, age after
// it was created; "b" is still to be pulled.
func spent(age time.Duration) NodeInput {
	c := cache("c", "a", "b")
	rec := cached("a")
	rec.Time.Time = now
	r := record(rec).claimed(1, c)
	r.Sequence, r.Cached, r.Waiting = 1, 1, 1
	j := jobFor(c, age, "a").settled(pulled)
	return input(r, c).with(func(in *NodeInput) { in.Jobs = []Job{j} })
}

// The pod of a Job takes two seconds to end after its images were pulled; the
// next pulls do not wait for that.
func TestNextJobBesideASpentOne(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(*NodeInput)
		want []string
	}{
		"it ends by itself":    {func(*NodeInput) {}, []string{"b"}},
		"it is deleted":        {func(in *NodeInput) { in.Jobs[0].Deleting = true }, []string{"b"}},
		"an image failed":      {func(in *NodeInput) { in.Jobs[0].Attempt.Images = []outcome.Image{notFound} }, nil},
		"its Job is gone":      {func(in *NodeInput) { in.Jobs[0].Gone = true }, nil},
		"it is a verification": {func(in *NodeInput) { in.Jobs[0].Kind = JobVerify }, nil},
		"it is a removal":      {func(in *NodeInput) { in.Jobs[0].Kind = JobRemove }, nil},
		"the outcome is not recorded": {func(in *NodeInput) {
			in.Jobs[0].Sequence, in.Jobs[0].Attempt.Settled = 2, false
			in.Jobs[0].Attempt.Images = []outcome.Image{{}}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			in := spent(time.Minute)
			tc.edit(&in)
			if diff := cmp.Diff(tc.want, Decide(in).created()); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, a := range Decide(spent(time.Minute)).Actions {
		if c, ok := a.(CreateJob); ok && !slices.Equal(c.Spec.Beside, []string{"default/c-1"}) {
			t.Errorf("beside %q", c.Spec.Beside)
		}
	}
}

// What runs alone waits until the pod has ended.
func TestRemovalWaitsForASpentJob(t *testing.T) {
	c := cache("c", "a", "x")
	rec := cached("a")
	rec.Time.Time = now
	l := newLife(t, record(rec, cached("x")).claimed(1, c), edited(c, "a"))
	l.in.Record.Sequence = 1
	l.in.Jobs = []Job{jobFor(c, time.Minute, "a").settled(pulled)}
	l.wantJob(l.step(0))
	l.in.Jobs[0].PodRunning = false
	l.wantJob(l.step(0), "remove", "x")
}

func TestPace(t *testing.T) {
	job := func(age time.Duration, images int) Job {
		return jobFor(cache("c"), age, many("app-", images)...)
	}
	for name, tc := range map[string]struct {
		jobs []Job
		next int
		want time.Duration
	}{
		"nothing before":               {nil, 10, 0},
		"a burst before, a second ago": {[]Job{job(time.Second, 10)}, 10, 1500 * time.Millisecond},
		"a burst before, long ago":     {[]Job{job(time.Minute, 10)}, 10, 0},
		"few before, few next":         {[]Job{job(0, 2), job(0, 2), job(0, 2), job(0, 2)}, 2, 0},
		"few before, many next":        {[]Job{job(0, 2)}, 10, 500 * time.Millisecond},
		"more than any burst":          {[]Job{job(0, 10)}, 50, 2500 * time.Millisecond},
		"several add up":               {[]Job{job(time.Second, 10), job(time.Second, 10)}, 10, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			d := nodePlan{in: NodeInput{Now: now, Jobs: tc.jobs}}
			if got := max(0, d.pace(tc.next)); got != tc.want {
				t.Errorf("wait %s, want %s", got, tc.want)
			}
		})
	}
	in := spent(0)
	in.Jobs[0].Images = slices.Repeat([]string{"a"}, 10)
	in.Jobs[0].Attempt.Images = slices.Repeat([]outcome.Image{pulled}, 10)
	if d := Decide(in); d.created() != nil || d.RequeueAfter != pullPace {
		t.Errorf("created %v, look again after %s", d.created(), d.RequeueAfter)
	}
}

// A kubelet that pulls for several Jobs at once gets several.
func TestImagesAreSharedByTheJobsOfANode(t *testing.T) {
	for pulls, want := range map[int]int{0: 10, 1: 10, 2: 6, 5: 3, 10: 2} {
		c := cache("c", many("app-", 12)...)
		in := input(record(), c).with(func(in *NodeInput) { in.Options.PullsPerNode = pulls })
		if got := len(Decide(in).created()); got != want {
			t.Errorf("%d Jobs at once: %d images in the first, want %d", pulls, got, want)
		}
	}
}
