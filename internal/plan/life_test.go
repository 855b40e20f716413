package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

// life is a node whose record is played on: what is decided is written back.
type life struct {
	t  *testing.T
	in NodeInput
}

func newLife(t *testing.T, r *Record, caches ...*Cache) *life {
	l := &life{t, input(r, caches...)}
	l.in.Node.Socket = "/run/containerd/containerd.sock"
	l.in.Options = Options{UnselectedGrace: 10 * time.Minute, VerifyInterval: 24 * time.Hour}
	return l
}

// step decides until nothing more is written, after some time, and returns the
// Job to create, if any.
func (l *life) step(wait time.Duration) *JobSpec {
	l.t.Helper()
	l.in.Now = l.in.Now.Add(wait)
	for range 10 {
		d := Decide(l.in)
		if s := d.written(); s != nil {
			l.in.Record.NodeCacheStatus = *s
			continue
		}
		for _, a := range d.Actions {
			if c, ok := a.(CreateJob); ok {
				return &c.Spec
			}
		}
		return nil
	}
	l.t.Fatal("it goes on writing")
	return nil
}

// finish plays the Job of spec with these outcomes.
func (l *life) finish(spec *JobSpec, results ...outcome.Image) {
	l.t.Helper()
	j := Job{
		Kind: spec.Kind, Namespace: "n", Name: "job", UID: "job-uid", NodeUID: "node-uid", Sequence: spec.Sequence,
		Identity: spec.Identity, Deadline: spec.Deadline, Created: l.in.Now, Finished: true,
		Attempt: outcome.Attempt{Settled: true, Images: results, Started: l.in.Now},
	}
	if spec.Owner != nil {
		j.Owner = spec.Owner.UID
	}
	for _, w := range spec.Images {
		j.Images = append(j.Images, w.Image)
	}
	l.in.Jobs = []Job{j}
	s := Decide(l.in).written()
	if s == nil || s.Sequence != spec.Sequence {
		l.t.Fatalf("Job %d is not recorded", spec.Sequence)
	}
	l.in.Record.NodeCacheStatus, l.in.Jobs = *s, nil
}

func (l *life) want(states map[string]string) {
	l.t.Helper()
	if diff := cmp.Diff(states, statesOf(&l.in.Record.NodeCacheStatus)); diff != "" {
		l.t.Error(diff)
	}
}

// statesOf tells the records in words, with what is due.
func statesOf(s *v1alpha2.NodeCacheStatus) map[string]string {
	words := states(s)
	for i := range s.Images {
		if s.Images[i].Due != "" {
			words[s.Images[i].Image] += "due " + string(s.Images[i].Due)
		}
	}
	return words
}

func names(spec *JobSpec) []string {
	if spec == nil {
		return nil
	}
	words := []string{string(spec.Kind)}
	for i := range spec.Images {
		words = append(words, spec.Images[i].Image)
	}
	return words
}

func (l *life) wantJob(spec *JobSpec, words ...string) {
	l.t.Helper()
	if diff := cmp.Diff(words, names(spec)); diff != "" {
		l.t.Fatal(diff)
	}
}

var (
	removed = outcome.Image{Kind: outcome.Removed}
	absent  = outcome.Image{Kind: outcome.Absent}
	shared  = outcome.Image{Kind: outcome.Kept, Reason: v1alpha2.ReasonImageShared, Message: "x:2 is wanted"}
	inUse   = outcome.Image{Kind: outcome.Failed, Reason: v1alpha2.ReasonImageInUse, Message: "used by pod a/b"}
)

// edited is the next generation of c with these images.
func edited(c *Cache, refs ...string) *Cache {
	return c.with(func(c *Cache) {
		c.Generation++
		c.Lists = []List{{Images: images(refs...), Selects: everyNode}}
	})
}

// asked is c with an accepted operation.
func asked(c *Cache, kind OperationKind) *Cache {
	return c.with(func(c *Cache) {
		c.Operation = Operation{Kind: kind, ID: c.Operation.ID + 1, Generation: c.Generation}
	})
}

func TestEditRemoves(t *testing.T) {
	c := cache("c", "x", "y")
	l := newLife(t, record(cached("x"), cached("y")).claimed(1, c), edited(c, "y", "z"))
	first := l.step(0)
	l.wantJob(first, "pull", "z")
	l.want(map[string]string{"x": "Removing ", "y": "Cached "})
	l.finish(first, pulled)
	second := l.step(0)
	l.wantJob(second, "remove", "x")
	if diff := cmp.Diff([]string{"y", "z"}, second.Keep); diff != "" {
		t.Error(diff)
	}
	l.finish(second, removed)
	l.wantJob(l.step(time.Hour))
	l.want(map[string]string{"y": "Cached ", "z": "Cached "})
}

func TestRemovalDoesNotWaitForEver(t *testing.T) {
	c := cache("c", "x")
	l := newLife(t, record(cached("x")).claimed(1, c), edited(c, "z"))
	l.wantJob(l.step(0), "pull", "z")
	l.wantJob(l.step(removalPatience), "remove", "x")
}

func TestAnotherClaimHoldsTheImage(t *testing.T) {
	c, other := cache("c", "x"), cache("other", "x")
	both := cached("x")
	both.Claims = []int32{1, 2}
	l := newLife(t, record(both).claimed(1, c, other), edited(c, "y"), other)
	l.finish(l.step(0), pulled)
	l.wantJob(l.step(time.Hour))
	l.want(map[string]string{"x": "Cached ", "y": "Cached "})
	if got := find(&l.in.Record.NodeCacheStatus, "x").Claims; !cmp.Equal(got, []int32{2}) {
		t.Errorf("claims %v", got)
	}
}

// Another identity's claim on the same name holds the image too.
func TestAnotherIdentityHoldsTheImage(t *testing.T) {
	c := cache("c", "x")
	secret := cache("secret", "x").with(func(c *Cache) { c.Identity = "abc" })
	theirs := cached("x")
	theirs.Identity, theirs.Claims = "abc", []int32{2}
	l := newLife(t, record(cached("x"), theirs).claimed(1, c, secret), edited(c), secret)
	l.wantJob(l.step(0))
	if got := len(l.in.Record.Images); got != 1 {
		t.Errorf("%d records", got)
	}
}

func TestPurgeAndRefresh(t *testing.T) {
	c := cache("c", "x", "y")
	purged := asked(c, OperationPurge)
	l := newLife(t, record(cached("x"), cached("y")).claimed(1, c), purged)
	job := l.step(0)
	l.wantJob(job, "remove", "x", "y")
	if claim := l.in.Record.Claims[0]; claim.Operation != 1 {
		t.Errorf("operation %d", claim.Operation)
	}
	l.finish(job, removed, inUse)
	l.want(map[string]string{"y": "Removing ImageInUse"})
	l.wantJob(l.step(time.Second))
	again := l.step(time.Minute)
	l.wantJob(again, "remove", "y")
	l.finish(again, inUse)
	l.wantJob(l.step(time.Second))
	purged = asked(purged, OperationPurge) // asked for anew: at once
	l.in.Caches = []*Cache{purged}
	anew := l.step(0)
	l.wantJob(anew, "remove", "y")
	l.finish(anew, removed)
	l.wantJob(l.step(24 * time.Hour))
	if len(l.in.Record.Images)+len(l.in.Record.Claims) > 0 {
		t.Errorf("%+v", l.in.Record.NodeCacheStatus)
	}
	l.in.Caches = []*Cache{asked(purged, OperationRefresh)}
	l.wantJob(l.step(0), "pull", "x", "y")
}

// A purge in mid-pull removes also what its Job may still bring.
func TestPurgeInMidPull(t *testing.T) {
	c := cache("c", "x", "y")
	l := newLife(t, record().claimed(1, c), asked(c, OperationPurge))
	j := jobFor(c, time.Second, "x", "y")
	l.in.Jobs = []Job{j}
	l.wantJob(l.step(0))
	l.want(map[string]string{"x": "Removing ", "y": "Removing "})
	l.in.Jobs = nil
	l.wantJob(l.step(time.Second), "remove", "x", "y")
}

func TestEditLiftsThePurge(t *testing.T) {
	c := asked(cache("c", "x"), OperationPurge)
	l := newLife(t, record(), c)
	l.wantJob(l.step(0))
	l.in.Caches = []*Cache{edited(c, "x")}
	l.wantJob(l.step(0), "pull", "x")
}

func TestRefreshMarks(t *testing.T) {
	c := cache("c", "fixed", "moves", "bad")
	c.Lists[0].Images[1].Policy = corev1.PullAlways
	bad := failed("bad", v1alpha2.ReasonImageNotFound, 5, time.Second)
	l := newLife(t, record(cached("fixed"), cached("moves"), bad).claimed(1, c), asked(c, OperationRefresh))
	first := l.step(0)
	l.wantJob(first, "pull", "bad")
	l.want(map[string]string{"fixed": "Cached due Verify", "moves": "Cached due Pull"})
	l.finish(first, notFound)
	second := l.step(0)
	l.wantJob(second, "verify", "fixed")
	l.finish(second, pulled)
	third := l.step(0)
	l.wantJob(third, "pull", "moves")
	l.finish(third, notFound)
	l.want(map[string]string{"fixed": "Cached ", "moves": "Cached ImageNotFound", "bad": "Failed ImageNotFound"})
	l.wantJob(l.step(time.Minute))
}

func TestAutomaticRefresh(t *testing.T) {
	c := cache("c", "fixed", "moves").with(func(c *Cache) { c.RefreshInterval = 2 * time.Hour })
	c.Lists[0].Images[1].Policy = corev1.PullAlways
	l := newLife(t, record(cached("fixed"), cached("moves")).claimed(1, c), c)
	l.wantJob(l.step(0))
	l.wantJob(l.step(2*time.Hour), "pull", "moves")
	l.in.Caches = []*Cache{c.with(func(c *Cache) { c.RefreshInterval = 0 })}
	l.wantJob(l.step(20 * time.Hour))
}

func TestDeletionPolicy(t *testing.T) {
	c := cache("c", "x")
	leaving := c.with(func(c *Cache) { c.Deleting = true })
	l := newLife(t, record(cached("x")).claimed(1, c), leaving)
	l.wantJob(l.step(time.Hour))
	l.want(map[string]string{"x": "Cached "})
	l.in.Caches = nil
	l.wantJob(l.step(time.Hour))
	l.want(map[string]string{})

	l = newLife(t, record(cached("x")).claimed(1, c), leaving.with(func(c *Cache) { c.Purging = true }))
	l.wantJob(l.step(0), "remove", "x")
	l.in.Caches = nil // the object goes, the removal goes on
	l.wantJob(l.step(0), "remove", "x")
}

// What is gone is gone, whatever else a record says of it.
func TestRemovedDropsEveryRecord(t *testing.T) {
	c := cache("c", "x")
	l := newLife(t, record(cached("x")).claimed(1, c), asked(c, OperationPurge))
	job := l.step(0)
	l.in.Caches = []*Cache{c}
	l.in.Record.Images[0] = cached("x")
	l.finish(job, removed)
	l.wantJob(l.step(0), "pull", "x")
}

// Names of one image may move apart: what was kept for another is tried again.
func TestSharedIsTriedAgain(t *testing.T) {
	c := cache("c", "x")
	l := newLife(t, record(cached("x")).claimed(1, c), asked(c, OperationPurge))
	l.finish(l.step(0), shared)
	l.wantJob(l.step(23 * time.Hour))
	l.wantJob(l.step(6*time.Hour), "remove", "x")
}

// Two names of one image go one after the other: the first stays while the
// second is wanted, and comes along when that goes.
func TestSharedComesAlong(t *testing.T) {
	a, b := cache("a", "x:1"), cache("b", "x:2")
	second := cached("x:2")
	second.Claims = []int32{2}
	l := newLife(t, record(cached("x:1"), second).claimed(1, a, b), asked(a, OperationPurge), b)
	job := l.step(0)
	l.wantJob(job, "remove", "x:1")
	l.finish(job, shared)
	l.want(map[string]string{"x:1": "Removing ImageShared", "x:2": "Cached "})
	l.wantJob(l.step(24 * time.Minute))
	l.in.Caches[1] = asked(b, OperationPurge)
	l.wantJob(l.step(0), "remove", "x:2", "x:1")
}

func TestWantedAgain(t *testing.T) {
	c := cache("c", "x", "y")
	l := newLife(t, record(cached("x"), cached("y")).claimed(1, c), edited(c, "y"))
	l.wantJob(l.step(0), "remove", "x")
	l.in.Caches = []*Cache{edited(edited(c), "x", "y")}
	l.wantJob(l.step(0), "pull", "x")
}

func TestRemovalIsOff(t *testing.T) {
	c := cache("c", "x")
	l := newLife(t, record(cached("x")).claimed(1, c), asked(c, OperationPurge))
	l.in.Options.RemovalDisabled = true
	l.wantJob(l.step(0))
	l.want(map[string]string{"x": "Removing RemovalDisabled"})
	l.in.Options.RemovalDisabled = false
	l.wantJob(l.step(0), "remove", "x")
	l.in.Node.Socket = ""
	l.wantJob(l.step(0))
	l.want(map[string]string{"x": "Removing ImageRemovalFailed"})
}

func TestRemovalWaitsForTheNode(t *testing.T) {
	c := cache("c", "x")
	l := newLife(t, record(cached("x")).claimed(1, c), asked(c, OperationPurge))
	l.in.Node.Unavailable = v1alpha2.WaitingNotReady
	l.wantJob(l.step(0))
	l.in.Node.Unavailable = ""
	l.wantJob(l.step(0), "remove", "x")
}

// What an informer has missed protects its images all the same.
func TestStillUnwanted(t *testing.T) {
	c := cache("c", "x", "y")
	l := newLife(t, record(cached("x"), cached("y")).claimed(1, c), edited(c, "y"))
	spec := l.step(0)
	still := func(caches ...*Cache) bool {
		return StillUnwanted(&l.in.Node, l.in.Record.NodeCacheStatus, caches, spec, l.in.Options, l.in.Now)
	}
	if !still(edited(c, "y")) {
		t.Error("the caches are the same")
	}
	for name, caches := range map[string][]*Cache{
		"another wants it":         {edited(c, "y"), cache("new", "x")},
		"another secret wants it":  {edited(c, "y"), cache("new", "x").with(func(c *Cache) { c.Identity = "abc" })},
		"edited back":              {edited(edited(c), "x", "y")},
		"left behind by deletion":  {edited(c, "y"), cache("new", "x").with(func(c *Cache) { c.Deleting = true })},
		"something else is wanted": {edited(c, "y", "z")},
	} {
		if still(caches...) {
			t.Errorf("%s: it would be removed", name)
		}
	}
}

// An image that another ImageCache brought is refreshed too, for a claimant
// that is new on the node and asked for it.
func TestRefreshOfWhatAnotherBrought(t *testing.T) {
	other, c := cache("other", "x"), cache("c", "x")
	c.Operation = Operation{Kind: OperationRefresh, ID: 7, Generation: 1, Time: ago(time.Minute)}
	c.Lists[0].Images[0].Policy = corev1.PullAlways
	l := newLife(t, record(cached("x")).claimed(1, other), other, c)
	l.wantJob(l.step(0), "pull", "x")
	// Known for another image, and the refresh is new to the node.
	y := cached("y")
	y.Claims = []int32{2}
	c.Lists[0].Images = append(c.Lists[0].Images, images("y")...)
	l = newLife(t, record(cached("x"), y).claimed(1, other, c), other, c)
	l.in.Record.Claims[1].Operation = 6
	l.wantJob(l.step(0), "verify", "y")
	l.want(map[string]string{"x": "Cached due Pull", "y": "Cached due Verify"})
	// The node knows of the refresh, and is to have this image only since.
	z := cached("y")
	z.Claims = []int32{2}
	since := newLife(t, record(cached("x"), z).claimed(1, other, c), other, c)
	since.in.Record.Claims[1].Operation = 7
	since.wantJob(since.step(0), "pull", "x")
	since.want(map[string]string{"x": "Cached due Pull", "y": "Cached "})
	// A verification that is due is not enough for it.
	l.in.Record.Claims[1].Operation, l.in.Record.Images[0].Due = 6, v1alpha2.DueVerify
	l.in.Record.Images[0].Claims = []int32{1}
	l.step(0)
	l.want(map[string]string{"x": "Cached due Pull", "y": "Cached due Verify"})
	c.Lists[0].Images = c.Lists[0].Images[:1]
	c.Operation.Time = ago(2 * time.Hour) // the image came after it
	l = newLife(t, record(cached("x")).claimed(1, other), other, c)
	l.wantJob(l.step(0))
}
