package plan

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

func TestDecideActions(t *testing.T) {
	c := cache("c", "x", "y")
	job := jobFor(c, 5*time.Second, "x", "y")
	at := func(sequence int64) *Record {
		r := record().claimed(1, c)
		r.Sequence, r.Waiting = sequence, 2
		return r
	}
	edit := func(do func(*Job)) Job {
		j := job
		do(&j)
		return j
	}
	tests := map[string]struct {
		record *Record
		caches []*Cache
		jobs   []Job
		want   []string
	}{
		"nothing wanted, no record":       {},
		"wanted for the first time":       {caches: []*Cache{c}, want: []string{"write"}},
		"Jobs without a record go":        {caches: []*Cache{c}, jobs: []Job{job}, want: []string{"delete", "write"}},
		"a record of a replaced node":     {record: &Record{UID: "r", NodeCacheStatus: v1alpha2.NodeCacheStatus{NodeUID: "old"}}, caches: []*Cache{c}, jobs: []Job{job}, want: []string{"drop"}},
		"free and due":                    {record: at(0), caches: []*Cache{c}, want: []string{"create"}},
		"a Job is at work":                {record: at(0), caches: []*Cache{c}, jobs: []Job{job}},
		"a Job has ended":                 {record: at(0), caches: []*Cache{c}, jobs: []Job{job.settled(pulled, pulled)}, want: []string{"write"}},
		"recorded, the pod is running":    {record: at(1), caches: []*Cache{c}, jobs: []Job{job}, want: []string{"delete"}},
		"recorded, the pod has ended":     {record: at(1), caches: []*Cache{c}, jobs: []Job{edit(func(j *Job) { j.PodRunning = false })}, want: []string{"delete", "create"}},
		"recorded and being deleted":      {record: at(1), caches: []*Cache{c}, jobs: []Job{edit(func(j *Job) { j.Deleting = true })}},
		"recorded and gone, not its pod":  {record: at(1), caches: []*Cache{c}, jobs: []Job{edit(func(j *Job) { j.Gone = true })}},
		"not recorded and gone":           {record: at(0), caches: []*Cache{c}, jobs: []Job{edit(func(j *Job) { j.Gone, j.Attempt = true, outcome.Attempt{} })}},
		"not recorded and being deleted":  {record: at(0), caches: []*Cache{c}, jobs: []Job{edit(func(j *Job) { j.Deleting = true })}},
		"a Job of a replaced node":        {record: at(0), caches: []*Cache{c}, jobs: []Job{edit(func(j *Job) { j.NodeUID = "old" })}, want: []string{"delete"}},
		"nobody wants the Job any more":   {record: at(0), caches: []*Cache{cache("c", "z")}, jobs: []Job{job}, want: []string{"write"}},
		"one image of it is wanted still": {record: at(0).count(1), caches: []*Cache{cache("c", "y")}, jobs: []Job{job}},
		"wanted under another identity":   {record: at(0), caches: []*Cache{c.with(func(c *Cache) { c.Identity = "abc" })}, jobs: []Job{job}, want: []string{"write"}},
		"all is cached, counters wrong":   {record: record(cached("x"), cached("y")).claimed(1, c), caches: []*Cache{c}, want: []string{"write"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			d := Decide(input(tc.record, tc.caches...).with(func(in *NodeInput) { in.Jobs = tc.jobs }))
			if diff := cmp.Diff(tc.want, d.kinds()); diff != "" {
				t.Errorf("%s\n%q", diff, d.Notes)
			}
		})
	}
}

// count sets the number of images that wait, so that it needs no write.
func (r *Record) count(waiting int32) *Record {
	r.Waiting = waiting
	return r
}

func TestOutcomesAreRecorded(t *testing.T) {
	c := cache("c", "a", "b", "m")
	job := jobFor(c, 5*time.Second, "a", "b", "m").settled(pulled, notTried, notFound)
	r := record(failed("m", v1alpha2.ReasonRegistryUnavailable, 2, time.Hour)).claimed(1, c)
	d := Decide(input(r, c).with(func(in *NodeInput) {
		in.Jobs = []Job{job}
		in.Node.Reported = map[string]Reported{"a": {Digest: "sha256:2", SizeBytes: 9}}
	}))
	s := d.written()
	a, m := find(s, "a"), find(s, "m")
	switch {
	case s.Sequence != 1:
		t.Errorf("sequence %d", s.Sequence)
	case a.State != v1alpha2.ImageStateCached || a.Digest != "sha256:2" || a.SizeBytes != 9 || a.Claims[0] != 1:
		t.Errorf("a: %+v", a)
	case find(s, "b") != nil:
		t.Error("what was not tried left a trace")
	case m.Attempts != 3 || m.Reason != v1alpha2.ReasonImageNotFound || m.Message != "not found":
		t.Errorf("m: %+v", m)
	case s.Cached != 1 || s.Failed != 1 || s.Waiting != 1:
		t.Errorf("counters %d %d %d", s.Cached, s.Failed, s.Waiting)
	}
	if r.Sequence != 0 || r.Images[0].Attempts != 2 {
		t.Error("what was read has been changed")
	}
}

func TestSuccessForgetsFailures(t *testing.T) {
	c := cache("c", "a")
	r := record(failed("a", v1alpha2.ReasonRegistryUnavailable, 2, time.Hour)).claimed(1, c)
	d := Decide(input(r, c).with(func(in *NodeInput) { in.Jobs = []Job{jobFor(c, time.Second, "a").settled(pulled)} }))
	if a := find(d.written(), "a"); a.Attempts != 0 || a.Reason != "" || a.State != v1alpha2.ImageStateCached {
		t.Errorf("%+v", a)
	}
}

// TestRefusedPods: the node waits, longer each time, and no image is blamed;
// a pod that is taken ends it.
func TestRefusedPods(t *testing.T) {
	c := cache("c", "a")
	refused := jobFor(c, time.Second, "a").settled(notTried)
	refused.Attempt.Refused = &outcome.Refusal{Reason: "OutOfpods", Message: "full"}
	decide := func(r *Record, j Job) *v1alpha2.NodeCacheStatus {
		return Decide(input(r, c).with(func(in *NodeInput) { in.Jobs = []Job{j} })).written()
	}
	first := decide(record().claimed(1, c), refused)
	if first.Wait == nil || first.Wait.Attempts != 1 || len(first.Images) > 0 {
		t.Fatalf("%+v", first)
	}
	again := record().claimed(1, c)
	again.Wait = first.Wait
	second := decide(again, refused)
	if w := second.Wait; w.Attempts != 2 || !w.Until.After(first.Wait.Until.Time) {
		t.Errorf("first %+v, second %+v", first.Wait, w)
	}
	if taken := decide(again, jobFor(c, time.Second, "a").settled(pulled)); taken.Wait != nil {
		t.Errorf("still waits: %+v", taken.Wait)
	}
}

func TestRefuseJobAndSkipSequence(t *testing.T) {
	c := cache("c", "a", "b")
	r := record().claimed(1, c)
	spec := Decide(input(r, c)).Actions[0].(CreateJob).Spec
	s := RefuseJob(r.NodeCacheStatus, &spec, errForbidden{}, now)
	if a := find(&s, "a"); a.Reason != v1alpha2.ReasonJobNotCreated || a.Message != "cannot create a Job in namespace default: forbidden" {
		t.Errorf("%+v", a)
	}
	if s.Sequence != 0 || s.Failed != 2 {
		t.Errorf("sequence %d, failed %d", s.Sequence, s.Failed)
	}
	if skipped := SkipSequence(r.NodeCacheStatus, 1); skipped.Sequence != 1 {
		t.Errorf("sequence %d", skipped.Sequence)
	}
}

type errForbidden struct{}

func (errForbidden) Error() string { return "forbidden" }

// A Job whose images are all there ends by itself in a moment; deleting its
// pod while its container runs would take the kubelet longer.
func TestRecordedJobMayEnd(t *testing.T) {
	c := cache("c", "a")
	for name, tc := range map[string]struct {
		age   time.Duration
		setup func(*Job)
		want  []string
	}{
		"it runs":             {time.Second, func(*Job) {}, nil},
		"it ran for too long": {endGrace, func(*Job) {}, []string{"delete"}},
		"it has ended":        {time.Second, func(j *Job) { j.PodRunning = false }, []string{"delete"}},
		"an image failed":     {time.Second, func(j *Job) { j.Attempt.Images = []outcome.Image{notFound} }, []string{"delete"}},
	} {
		t.Run(name, func(t *testing.T) {
			rec := cached("a")
			rec.Time.Time = ago(tc.age)
			r := record(rec).claimed(1, c)
			r.Sequence, r.Cached = 1, 1
			j := jobFor(c, time.Minute, "a").settled(pulled)
			tc.setup(&j)
			in := input(r, c)
			in.Jobs = []Job{j}
			if diff := cmp.Diff(tc.want, Decide(in).kinds()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What a decision is made from belongs to others, down to its last slice.
func TestDecideLeavesItsInputAsItIs(t *testing.T) {
	c, other := cache("c", many("app-", 5)...), cache("other", "app-00", "app-07")
	r := record(cached("app-00"), failed("app-01", v1alpha2.ReasonImageNotFound, 2, time.Hour), deferred("app-02"), cached("app-06"))
	r.claimed(1, c)
	for i := range r.Images { // room for more, which is not ours
		r.Images[i].Claims = append(make([]int32, 0, 4), r.Images[i].Claims...)
	}
	r.OpenJobs = []int64{1, 2}
	edited := c.with(func(c *Cache) { c.Generation = 2 })
	in := input(r, edited, other).with(func(in *NodeInput) {
		in.Jobs = []Job{jobFor(c, time.Minute, "app-03", "app-04").settled(pulled, notFound)}
	})
	before := *r.DeepCopy()
	if Decide(in).written() == nil {
		t.Fatal("nothing is decided")
	}
	if diff := cmp.Diff(before, r.NodeCacheStatus); diff != "" {
		t.Errorf("the record that was read changed (-before +after):\n%s", diff)
	}
	for i := range r.Images {
		if spare := r.Images[i].Claims[:4]; slices.Max(spare[1:]) > 0 {
			t.Errorf("claims of %s were written to: %v", r.Images[i].Image, spare)
		}
	}
}
