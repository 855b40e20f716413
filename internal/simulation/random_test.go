package simulation

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestRandomWorlds runs random worlds. A seed that fails is run again with its
// story told.
func TestRandomWorlds(t *testing.T) {
	if seed, ok := number("SIM_SEED"); ok {
		var story strings.Builder
		broken := runSeed(uint64(seed), &story)
		t.Log("\n" + story.String())
		if broken != "" {
			t.Errorf("seed %d: %s", seed, broken)
		}
		return
	}
	seeds, ok := number("SIM_SEEDS")
	if !ok {
		seeds = 500
	}
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // worlds are small and many
	var next, failed atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for seed := next.Add(1); seed <= int64(seeds) && failed.Load() < 3; seed = next.Add(1) {
				if broken := runSeed(uint64(seed), nil); broken != "" {
					failed.Add(1)
					t.Errorf("seed %d: %s\n%s", seed, broken, tail(uint64(seed)))
				}
			}
		})
	}
	workers.Wait()
}

func number(variable string) (int, bool) {
	n, err := strconv.Atoi(os.Getenv(variable))
	return n, err == nil
}

// tail is the end of the story of a seed.
func tail(seed uint64) string {
	const most = 60
	var story strings.Builder
	runSeed(seed, &story)
	lines := strings.Split(strings.TrimSpace(story.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}

// runSeed runs one world and returns the promise it broke, if any.
func runSeed(seed uint64, story *strings.Builder) string {
	w := newWorld(seed, nil)
	if story != nil {
		w.story = story
	}
	s := populate(w)
	trouble := 3*time.Minute + time.Duration(w.rng.Int64N(int64(9*time.Minute)))
	s.trouble(trouble)
	w.run(trouble + 90*time.Second) // until the last trouble is over
	s.peace()
	w.converge(4 * time.Hour)
	s.rest()
	w.converge(2 * time.Hour)
	w.beIdle()
	return w.broken
}
