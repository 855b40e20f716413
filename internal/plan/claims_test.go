package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

func TestClaimsFollowTheCaches(t *testing.T) {
	first := cache("first", "x", "y")
	second := cache("second", "x")
	d := Decide(input(record(cached("x"), cached("y")).claimed(1, first), first, second))
	s := d.written()
	want := []v1alpha2.Claim{
		{ID: 1, Namespace: "default", Name: "first", UID: "first", Generation: 1},
		{ID: 2, Namespace: "default", Name: "second", UID: "second", Generation: 1},
	}
	if diff := cmp.Diff(want, s.Claims); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int32{1, 2}, find(s, "x").Claims); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int32{1}, find(s, "y").Claims); diff != "" {
		t.Error(diff)
	}
}

// TestGoneCacheLeavesItsImages: nothing is removed because an ImageCache was
// not seen; what nobody has a claim on any more is no business of ours.
func TestGoneCacheLeavesItsImages(t *testing.T) {
	first := cache("first", "x")
	d := Decide(input(record(cached("x")).claimed(1, first)))
	if s := d.written(); len(s.Images) > 0 || len(s.Claims) > 0 {
		t.Errorf("%+v", s)
	}
}

// TestClaimOfTheSameName: another object of the same name is another claim.
func TestClaimOfTheSameName(t *testing.T) {
	old := cache("c", "x", "y")
	d := Decide(input(record(cached("x"), cached("y")).claimed(1, old), cache("c", "x").with(func(c *Cache) { c.UID = "new" })))
	s := d.written()
	if len(s.Claims) != 1 || s.Claims[0].UID != "new" {
		t.Errorf("%+v", s.Claims)
	}
	if diff := cmp.Diff(map[string]string{"x": "Cached "}, states(s)); diff != "" {
		t.Errorf("y stays on the node and is nobody's:\n%s", diff)
	}
}

func TestForgetFailures(t *testing.T) {
	c := cache("c", "bad", "good")
	edited := c.with(func(c *Cache) { c.Generation = 2 })
	other := cache("other", "bad")
	bad := failed("bad", v1alpha2.ReasonImageNotFound, 3, time.Minute)
	both := bad
	both.Claims = []int32{1, 2}
	tests := map[string]struct {
		record *Record
		caches []*Cache
		want   map[string]string
	}{
		"no edit": {
			record: record(bad, cached("good")).claimed(1, c), caches: []*Cache{c},
			want: map[string]string{"bad": "Failed ImageNotFound", "good": "Cached "}},
		"an edit": {
			record: record(bad, cached("good")).claimed(1, c), caches: []*Cache{edited},
			want: map[string]string{"good": "Cached "}},
		"an edit of one of two claimants": {
			record: record(both).claimed(1, c, other), caches: []*Cache{edited, other}, want: map[string]string{}},
		"an edit of somebody else": {
			record: record(both, cached("good")).claimed(1, other, c), caches: []*Cache{other, c.with(func(c *Cache) {
				c.Generation, c.Lists = 2, []List{{Images: images("good"), Selects: everyNode}}
			})},
			want: map[string]string{"bad": "Failed ImageNotFound", "good": "Cached "}},
		"deferred ones get another chance": {
			record: record(deferred("bad")).claimed(1, c), caches: []*Cache{edited}, want: map[string]string{}},
		"failures nobody wants are dropped": {
			record: record(bad, cached("good")).claimed(1, c), caches: []*Cache{c.with(func(c *Cache) { c.Lists = []List{{Images: images("good"), Selects: everyNode}} })}, want: map[string]string{"good": "Cached "}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			d := Decide(input(tc.record, tc.caches...))
			s := d.written()
			if diff := cmp.Diff(tc.want, states(s)); diff != "" {
				t.Errorf("%s\n%q", diff, d.Notes)
			}
			for _, claim := range s.Claims {
				for _, c := range tc.caches {
					if claim.UID == c.UID && claim.Generation != c.Generation {
						t.Errorf("%s: generation %d, applied %d", c.Name, c.Generation, claim.Generation)
					}
				}
			}
		})
	}
}

// TestFailureOfTheNewSpec: what a Job brings in the pass that first sees the
// edit is not forgotten at once, or it would be tried in a loop.
func TestFailureOfTheNewSpec(t *testing.T) {
	c := cache("c", "bad")
	edited := c.with(func(c *Cache) { c.Generation = 2 })
	r := record().claimed(1, c)
	d := Decide(input(r, edited).with(func(in *NodeInput) { in.Jobs = []Job{jobFor(c, time.Second, "bad").settled(notFound)} }))
	s := d.written()
	if find(s, "bad") == nil || s.Claims[0].Generation != 2 {
		t.Fatalf("%+v", s)
	}
	r.NodeCacheStatus = *s
	if d := Decide(input(r, edited).with(func(in *NodeInput) { in.Now = now.Add(time.Second) })); len(d.Actions) > 0 {
		t.Errorf("%v %q", d.kinds(), d.Notes)
	}
}
