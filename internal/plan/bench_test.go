package plan

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// The sizes that docs/benchmarks/plan.md reports: one node with 50 images, and
// one ImageCache with 50 images on 5,000 nodes.
const (
	benchImages = 50
	benchNodes  = 5000
)

// BenchmarkDecide is one look at one node, in each of the states that a node
// with 50 images goes through.
func BenchmarkDecide(b *testing.B) {
	c := cache("c", many("registry.example/team/app-", benchImages)...)
	c.Lists = append(c.Lists, List{Images: images("registry.example/other/app:1"), Selects: pool("b")})
	all, none := atRest(input(recordOf(c), c)), atRest(input(record(), c))
	var refs []string
	for _, image := range c.Lists[0].Images[:10] {
		refs = append(refs, image.Ref)
	}
	for name, state := range map[string]struct {
		in   NodeInput
		want string
	}{
		"cached":   {all, "[]"},
		"empty":    {none, "[create]"},
		"pulling":  {atRest(none.with(func(in *NodeInput) { in.Jobs = []Job{jobFor(c, time.Second, refs...)} })), "[]"},
		"pulled":   {none.with(func(in *NodeInput) { in.Jobs = []Job{pulledJob(c, refs)} }), "[write]"},
		"recorded": {all.with(func(in *NodeInput) { in.Jobs = []Job{recordedJob(c, refs)} }), "[delete]"},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d := Decide(state.in); fmt.Sprint(d.kinds()) != state.want {
					b.Fatal(d.kinds())
				}
			}
		})
	}
}

// atRest is in with the record that remains when it has been written as often as
// the planner asks for.
func atRest(in NodeInput) NodeInput {
	for status := Decide(in).written(); status != nil; status = Decide(in).written() {
		in.Record = &Record{UID: in.Record.UID, NodeCacheStatus: *status}
	}
	return in
}

func pulledJob(c *Cache, refs []string) Job {
	j := jobFor(c, time.Second, refs...)
	for i := range j.Attempt.Images {
		j.Attempt.Images[i] = pulled
	}
	j.Attempt.Settled = true
	return j
}

func recordedJob(c *Cache, refs []string) Job {
	j := pulledJob(c, refs)
	j.Sequence, j.PodRunning, j.Finished = 0, false, true
	return j
}

// BenchmarkDecideShared is one look at a node that 50 ImageCaches of 40 images
// each select, one image of each still to be pulled.
func BenchmarkDecideShared(b *testing.B) {
	var caches []*Cache
	r := record()
	for i := range 50 {
		c := cache(fmt.Sprintf("cache-%02d", i), many(fmt.Sprintf("registry.example/team-%02d/app-", i), 40)...)
		caches = append(caches, c)
		r.claimed(1, c)
		r.Claims[i].ID = int32(i + 1)
		for j, image := range c.Lists[0].Images {
			if j > 0 {
				rec := cached(image.Ref)
				rec.Claims = []int32{int32(i + 1)}
				r.Images = append(r.Images, rec)
			}
		}
	}
	in := input(r, caches...)
	b.ReportAllocs()
	for b.Loop() {
		if d := Decide(in); len(d.created()) == 0 {
			b.Fatal(d.kinds())
		}
	}
}

// BenchmarkStatus is the status of one ImageCache.
func BenchmarkStatus(b *testing.B) {
	c := cache("c", many("registry.example/team/app-", benchImages)...)
	for name, nodes := range map[string][]NodeView{
		"cached": benchViews(c, nil),
		"failing": benchViews(c, func(rec *v1alpha2.ImageRecord) {
			rec.State, rec.Reason, rec.Attempts = v1alpha2.ImageStateFailed, v1alpha2.ReasonImageNotFound, 1
			rec.Message = "registry.example/team/app: not found"
		}),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if s := Status(CacheInput{Now: now, Cache: c, Nodes: nodes}).Status; s.Desired != benchNodes*benchImages {
					b.Fatal(s.Progress)
				}
			}
		})
	}
}

// benchViews are nodes that have recorded all images of c. Each record is a
// value of its own, down to its strings, as those of an informer are.
func benchViews(c *Cache, edit func(*v1alpha2.ImageRecord)) []NodeView {
	views := make([]NodeView, 0, benchNodes)
	for i := range benchNodes {
		r := recordOf(c)
		for j := range r.Images {
			if edit != nil {
				edit(&r.Images[j])
			}
		}
		views = append(views, view(fmt.Sprintf("node-%04d.example.com", i), r))
	}
	return views
}

// recordOf is the record of a node that has all images of the first list of c.
func recordOf(c *Cache) *Record {
	r := record().claimed(1, c)
	for _, image := range c.Lists[0].Images {
		rec := cached(strings.Clone(image.Ref))
		rec.Identity = strings.Clone(rec.Identity)
		rec.Digest, rec.SizeBytes = "sha256:"+strings.Repeat("ab", 32), 100<<20
		r.Images = append(r.Images, rec)
	}
	return r
}
