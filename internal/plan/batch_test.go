package plan

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

func many(prefix string, n int) []string {
	var refs []string
	for i := range n {
		refs = append(refs, fmt.Sprintf("%s%02d", prefix, i))
	}
	return refs
}

// sizes tells the sizes of images in megabytes.
func sizes(megabytes map[string]int64) func(*NodeInput) {
	return func(in *NodeInput) {
		in.Options.Sizes = func(ref string) (int64, bool) {
			mb, known := megabytes[ref]
			return mb << 20, known
		}
	}
}

// opensMeanwhile is a registry that is open for whoever asks a second time.
func opensMeanwhile(in *NodeInput) {
	asked := 0
	in.Options.RegistryOpen = func(string) time.Time {
		asked++
		if asked == 1 {
			return now.Add(time.Second)
		}
		return time.Time{}
	}
}

func atMost(n int) func(*NodeInput) { return func(in *NodeInput) { in.Options.ImagesPerJob = n } }

func TestNextJob(t *testing.T) {
	secret := func(c *Cache) { c.Identity = "abc" }
	suspended := func(c *Cache) { c.Suspend = true }
	young := func(c *Cache) { c.Created = now }
	nothing := func(*NodeInput) {}
	a, b := cache("a", "x"), cache("b", "x").with(young)
	tests := map[string]struct {
		in    NodeInput
		setup func(*NodeInput)
		want  []string
	}{
		"auto takes ten":                 {input(record(), cache("c", many("i", 12)...)), nothing, many("i", 10)},
		"one image a Job":                {input(record(), cache("c", many("i", 12)...)), atMost(1), many("i", 1)},
		"twenty images a Job":            {input(record(), cache("c", many("i", 30)...)), atMost(20), many("i", 20)},
		"small images first":             {input(record(), cache("c", "i1", "i2", "i3")), sizes(map[string]int64{"i1": 30, "i2": 20, "i3": 10}), []string{"i3", "i2", "i1"}},
		"unknown sizes last":             {input(record(), cache("c", "i1", "i2")), sizes(map[string]int64{"i2": 30}), []string{"i2", "i1"}},
		"a large image waits for others": {input(record(), cache("c", "big", "i1")), sizes(map[string]int64{"big": 513}), []string{"i1"}},
		"a large image goes alone":       {input(record(), cache("c", "big1", "big2")), sizes(map[string]int64{"big1": 600, "big2": 550}), []string{"big2"}},
		"512 MiB is not large":           {input(record(), cache("c", "big", "i1")), sizes(map[string]int64{"big": 512}), []string{"big", "i1"}},
		"the smallest group first":       {input(record(), cache("five-hundred", many("i", 500)...), cache("one", "x").with(young)), nothing, []string{"x"}},
		"no part of a batch goes ahead":  {input(record(), cache("c", "docker.io/library/i1:1", "docker.io/library/i2:1")), opensMeanwhile, nil},
		"identities do not mix":          {input(record(), cache("a", "x", "y"), cache("b", "z").with(secret)), nothing, []string{"z"}},
		"new ones before retries": {
			input(record(failed("old", v1alpha2.ReasonRegistryUnavailable, 1, time.Hour)).claimed(1, cache("c")), cache("c", "old", "new")), nothing, []string{"new"}},
		"retries before deferred ones": {
			input(record(failed("old", v1alpha2.ReasonRegistryUnavailable, 1, time.Hour), deferred("slow")).claimed(1, cache("c")), cache("c", "slow", "old")), nothing, []string{"old"}},
		"deferred ones go alone": {
			input(record(deferred("slow1"), deferred("slow2")).claimed(1, cache("c")), cache("c", "slow1", "slow2")), nothing, []string{"slow1"}},
		"what was too late goes alone": {
			input(record(failed("late1", v1alpha2.ReasonPullDeadlineExceeded, 1, time.Hour), failed("late2", v1alpha2.ReasonPullDeadlineExceeded, 1, time.Hour)).claimed(1, cache("c")), cache("c", "late1", "late2")), nothing, []string{"late1"}},
		"what was too late comes last": {
			input(record(failed("late", v1alpha2.ReasonPullDeadlineExceeded, 1, time.Hour)).claimed(1, cache("a")), cache("a", "late"), cache("b", "big1", "big2")),
			sizes(map[string]int64{"big1": 600, "big2": 700}), []string{"big1"}},
		"not due yet": {
			input(record(failed("old", v1alpha2.ReasonImageNotFound, 1, time.Minute)).claimed(1, cache("c")), cache("c", "old")), nothing, nil},
		"a suspended cache gets none":           {input(record(), cache("c", "x").with(suspended)), nothing, nil},
		"another claimant of a suspended one's": {input(record(), a.with(suspended), b), nothing, []string{"x"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			d := Decide(tc.in.with(tc.setup))
			if diff := cmp.Diff(tc.want, d.created()); diff != "" {
				t.Errorf("%s\n%q", diff, d.Notes)
			}
		})
	}
}

// TestOwnerRotation: after each failure the next claimant's namespace is
// tried, and it starts over.
func TestTogether(t *testing.T) {
	failure := record(failed("old", v1alpha2.ReasonImageNotFound, 1, time.Second)).claimed(1, cache("c"))
	tests := map[string]struct {
		in     NodeInput
		method Method
		want   bool
	}{
		"new images":                {input(record(), cache("c", "i1", "i2")), MethodImageVolume, true},
		"one image":                 {input(record(), cache("c", "i1")), MethodImageVolume, false},
		"each runs in its own":      {input(record(), cache("c", "i1", "i2")), MethodExec, false},
		"something failed":          {input(failure, cache("c", "old", "i1", "i2")), MethodImageVolume, false},
		"another identity's failed": {input(failure, cache("c", "old"), cache("d", "i1", "i2").with(func(c *Cache) { c.Identity = "abc" })), MethodImageVolume, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			tc.in.Node.Method = tc.method
			actions := Decide(tc.in).Actions
			if create, ok := actions[len(actions)-1].(CreateJob); !ok || create.Spec.Together != tc.want {
				t.Errorf("want a Job with Together %v, got %+v", tc.want, actions)
			}
		})
	}
}

func TestOwnerRotation(t *testing.T) {
	first := cache("first", "x")
	second := cache("second", "x").with(func(c *Cache) { c.Created = now })
	for attempts, want := range []string{"first", "second", "first"} {
		rec := failed("x", v1alpha2.ReasonPodNotCreated, int32(attempts), 2*time.Hour)
		rec.Claims = []int32{1, 2}
		d := Decide(input(record(rec).claimed(1, first, second), first, second))
		job := d.Actions[0].(CreateJob)
		if job.Spec.Owner.Name != want {
			t.Errorf("after %d attempts the owner is %s, want %s", attempts, job.Spec.Owner.Name, want)
		}
	}
}

// A failure of one namespace does not make the other claimants wait.
func TestAnotherNamespaceIsTriedAtOnce(t *testing.T) {
	first := cache("first", "x")
	second := cache("second", "x").with(func(c *Cache) { c.Created = now })
	for name, tc := range map[string]struct {
		reason   string
		attempts int32
		want     []string
	}{
		"one was tried":       {v1alpha2.ReasonPodNotCreated, 1, []string{"x"}},
		"the Job was refused": {v1alpha2.ReasonJobNotCreated, 1, []string{"x"}},
		"both were tried":     {v1alpha2.ReasonPodNotCreated, 2, nil},
		"the image failed":    {v1alpha2.ReasonRegistryUnavailable, 1, nil},
	} {
		rec := failed("x", tc.reason, tc.attempts, time.Second)
		rec.Claims = []int32{1, 2}
		d := Decide(input(record(rec).claimed(1, first, second), first, second))
		if diff := cmp.Diff(tc.want, d.created()); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestJobSpec(t *testing.T) {
	c := cache("c", "x").with(func(c *Cache) { c.Identity, c.PullDeadline = "abc", time.Minute })
	r := record()
	r.Sequence = 7
	d := Decide(input(r, c))
	spec := d.Actions[0].(CreateJob).Spec
	want := JobSpec{
		Kind:  JobPull,
		Owner: c, NodeCacheUID: "record-uid", Sequence: 8, Node: spec.Node, Identity: "abc", Deadline: time.Minute,
		Images: []Want{{Key: Key{"x", "abc"}, Name: "x", Policy: corev1.PullIfNotPresent, Claimants: []*Cache{c}}},
	}
	if diff := cmp.Diff(want, spec, cmp.Comparer(func(a, b *Cache) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if spec.Node.UID != "node-uid" {
		t.Errorf("node %s", spec.Node.UID)
	}
}

func TestWaitHoldsJobsBack(t *testing.T) {
	r := record()
	r.Wait = &v1alpha2.NodeWait{Reason: "OutOfpods", Attempts: 1, Until: metav1.NewTime(now.Add(30 * time.Second))}
	r.Waiting = 1
	d := Decide(input(r, cache("c", "x")))
	if len(d.Actions) > 0 || d.RequeueAfter != 30*time.Second {
		t.Errorf("actions %v, again after %s", d.kinds(), d.RequeueAfter)
	}
	d = Decide(input(r, cache("c", "x")).with(func(in *NodeInput) { in.Now = now.Add(30 * time.Second) }))
	if len(d.created()) != 1 {
		t.Errorf("no Job when the wait is over: %v", d.kinds())
	}
}
