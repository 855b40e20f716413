// Package memory tells Go's garbage collector how much memory there is.
package memory

import (
	"math"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/go-logr/logr"
)

// share of the container's memory limit beyond which the garbage collector
// works harder rather than let the process grow: the rest is for what Go does
// not count. It is the library's default.
const share = 0.9

// FollowLimit has the garbage collector keep the process within the memory
// limit of its container. Without that it lets the heap grow to twice of what
// is in use, and a container whose limit is less than that is killed although
// half of it is garbage. The environment variable GOMEMLIMIT (bytes, or with a
// unit such as MiB) takes precedence. A limit that cannot be read is told, and
// nothing else changes.
func FollowLimit(log logr.Logger) { follow(log, memlimit.FromCgroup) }

func follow(log logr.Logger, limit memlimit.Provider) {
	bytes, err := memlimit.Set(memlimit.WithRatio(share), memlimit.WithProvider(limit))
	switch {
	case err != nil:
		log.Info("the container's memory limit cannot be read, garbage is collected as if there were none", "reason", err.Error())
	case bytes != math.MaxInt64:
		log.Info("garbage is collected before the memory in use exceeds this", "bytes", bytes)
	}
}
