package simulation

import (
	"testing"
	"time"

	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// TestNothingIsPulledTwice: where nothing fails, each image is asked for once on
// each node, however far the watches of Jobs, pods and records are apart.
func TestNothingIsPulledTwice(t *testing.T) {
	const count, images, jobsOfEach = 4, 25, 3 // ten, ten and five
	for seed := range uint64(100) {
		w := newWorld(seed, nil)
		w.weather.late = 0.1
		pulls := 0
		tell := w.api.watch
		w.api.watch = func(before object, c change) {
			if j, ok := c.object.(*job); ok && before == nil && j.work == plan.JobPull {
				pulls++
			}
			tell(before, c)
		}
		w.begin(count)
		w.apply("default", "web", everywhere(w.named("app", images, 5)...))
		w.converge(time.Hour)
		if w.broken != "" || pulls != count*jobsOfEach {
			t.Fatalf("seed %d: %d Jobs that pull, want %d %s", seed, pulls, count*jobsOfEach, w.broken)
		}
	}
}
