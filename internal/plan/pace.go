package plan

import (
	"cmp"
	"slices"
	"time"
)

// A kubelet starts five pulls a second for all pods of its node and ten in a
// burst (registryPullQPS, registryBurst), and fails those beyond, ours or not.
// We take about four a second: a Job's time has whole seconds only, so that up
// to one seems to have passed already.
const (
	pullBurst = 10
	pullPace  = 250 * time.Millisecond
)

// pace returns how long a Job of n images has to wait so that the kubelet can
// start its pulls beside those of the Jobs that are there.
func (d *nodePlan) pace(n int) time.Duration {
	recent := slices.DeleteFunc(slices.Clone(d.in.Jobs), func(j Job) bool { return j.Kind == JobVerify || j.Kind == JobRemove })
	slices.SortFunc(recent, func(a, b Job) int { return cmp.Compare(a.Created.UnixNano(), b.Created.UnixNano()) })
	// full is when the kubelet has saved up its whole burst again.
	var full time.Time
	for i := range recent {
		if recent[i].Created.After(full) {
			full = recent[i].Created
		}
		full = full.Add(time.Duration(len(recent[i].Images)) * pullPace)
	}
	spare := time.Duration(pullBurst-min(n, pullBurst)) * pullPace
	return full.Add(-spare).Sub(d.in.Now)
}
