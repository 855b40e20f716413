package observe

import (
	"fmt"
	"testing"

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
