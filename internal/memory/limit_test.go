package memory

import (
	"errors"
	"math"
	"runtime/debug"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/go-logr/logr"
)

func TestFollow(t *testing.T) {
	const mib = 1 << 20
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	for name, c := range map[string]struct {
		limit memlimit.Provider
		want  int64
	}{
		"a limit":          {memlimit.Limit(512 * mib), 512 * mib * 9 / 10},
		"none":             {func() (uint64, error) { return 0, memlimit.ErrNoLimit }, math.MaxInt64},
		"unreadable":       {func() (uint64, error) { return 0, errors.New("no cgroup") }, 7 * mib},
		"beyond what fits": {memlimit.Limit(math.MaxUint64), math.MaxInt64},
	} {
		t.Run(name, func(t *testing.T) {
			debug.SetMemoryLimit(7 * mib)
			follow(logr.Discard(), c.limit)
			if got := debug.SetMemoryLimit(-1); got < c.want-1 || got > c.want {
				t.Errorf("the limit is %d, want %d", got, c.want)
			}
		})
	}
}

func TestEnvironmentTakesPrecedence(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	t.Setenv("GOMEMLIMIT", "100MiB") // read when the process starts, so nothing is set here
	follow(logr.Discard(), memlimit.Limit(1<<20))
	if got := debug.SetMemoryLimit(-1); got != before {
		t.Errorf("the limit is %d", got)
	}
}
