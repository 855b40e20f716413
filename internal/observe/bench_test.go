package observe

import (
	"fmt"
	"runtime"
	"testing"

	"k8s.io/apimachinery/pkg/util/json"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/fixture"
)

// BenchmarkNode reads a node that reports fifty images under two names each.
func BenchmarkNode(b *testing.B) {
	var mods []fixture.NodeMod
	for i := range 50 {
		name := fmt.Sprintf("registry.example:5000/team/app-%02d", i)
		mods = append(mods, fixture.Reporting(100<<20, name+"@"+sum, name+":1"))
	}
	node := fixture.Node("n", mods...)
	b.ReportAllocs()
	for b.Loop() {
		if n := Node(node, Forced{}); len(n.Reported) != 100 {
			b.Fatal(len(n.Reported))
		}
	}
}

// BenchmarkKeptNodeCache tells what the informer keeps of a record of fifty
// images, in bytes of the heap, beside what reading one costs.
func BenchmarkKeptNodeCache(b *testing.B) {
	var images []string
	for i := range 50 {
		images = append(images, fmt.Sprintf("registry.example/team/image-%03d:1", i))
	}
	text, err := json.Marshal(fixture.NodeCache(fixture.Node("n"), fixture.WithCached(images...), fixture.WithClaim(fixture.ImageCache("c"), images...)))
	if err != nil {
		b.Fatal(err)
	}
	var kept []*v1alpha2.NodeCache
	before := heap()
	for b.Loop() {
		nc := &v1alpha2.NodeCache{}
		if err := json.Unmarshal(text, nc); err != nil {
			b.Fatal(err)
		}
		if _, err := Trim(nc); err != nil {
			b.Fatal(err)
		}
		kept = append(kept, nc)
	}
	b.ReportMetric(float64(heap()-before)/float64(len(kept)), "heap-B/record")
	b.ReportMetric(float64(len(text)), "JSON-B/record")
}

// heap returns the bytes in use once the garbage is gone.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
