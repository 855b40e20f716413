package nodecache

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strconv"
	"time"
)

// The waits of a registry in trouble, doubled with each answer that says so.
const (
	closedFirst = 10 * time.Second
	closedMost  = 5 * time.Minute
)

// verdict is what follows from all that is known of one registry.
type verdict struct {
	// until is when it may be asked again; zero when nothing is wrong.
	until time.Time
	// last is when the last trouble was seen, answered when it last served.
	last, answered time.Time
	// probing means that it has not served since the last trouble.
	probing bool
}

// after returns the verdict that holds after an earlier one: an edit or a
// refresh of an ImageCache makes the records forget that images failed, but
// the registry has said when it wants to be left alone until.
func (v verdict) after(earlier verdict) verdict {
	if v.last.Before(earlier.last) && !v.answered.After(earlier.last) {
		v.until, v.last, v.probing = earlier.until, earlier.last, true
	}
	return v
}

// judge looks at what the nodes say of a registry. A throttled answer counts
// until the registry has served somebody later. That it was out of reach counts
// only when two nodes say so and nobody was served later: one node may have
// broken DNS or a missing certificate, which is no reason to stop all others.
func judge(host string, answered time.Time, failing map[string]news) verdict {
	v := verdict{answered: answered}
	var open []failure
	without := 0
	for _, n := range failing {
		unreached := false
		for _, f := range n.failures {
			if !answered.After(f.at) {
				open = append(open, f)
				unreached = unreached || !f.throttled
			}
		}
		if unreached {
			without++
		}
	}
	if without < 2 {
		open = slices.DeleteFunc(open, func(f failure) bool { return !f.throttled })
	}
	v.close(host, open)
	return v
}

// judgeOwn looks at what one node says of a registry: for the node itself all
// of it counts.
func judgeOwn(host string, n news) verdict {
	v := verdict{answered: n.answered}
	v.close(host, slices.DeleteFunc(slices.Clone(n.failures), func(f failure) bool { return n.answered.After(f.at) }))
	return v
}

// close sets until when the registry is closed after these failures, taken one
// after the other: what comes while it is closed was asked before, as the other
// images of a Job and the Jobs of other nodes were, and is no further step.
func (v *verdict) close(host string, failures []failure) {
	slices.SortFunc(failures, func(a, b failure) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.attempts, b.attempts))
	})
	step := int32(0)
	for _, f := range failures {
		v.last, v.probing = f.at, true
		if f.at.Before(v.until) {
			continue
		}
		step = max(step+1, f.since(v.answered))
		v.until = f.at.Add(spread(closedFor(step), host, step))
	}
}

// since returns how many of the tries of a failure's image can have been after
// a time. The record knows only the last one, but each try came at least a
// pause after the one before. So the steps of a registry that the same image
// asks for again and again survive a restart.
func (f failure) since(answered time.Time) int32 {
	n, at := int32(1), f.at
	for left := f.attempts - 1; left > 0; left-- {
		at = at.Add(-closedFor(left))
		if !at.After(answered) {
			break
		}
		n++
	}
	return n
}

// closedFor returns the wait after the step-th answer in a row.
func closedFor(step int32) time.Duration {
	wait := closedFirst
	for i := int32(1); i < step && wait < closedMost; i++ {
		wait *= 2
	}
	return min(wait, closedMost)
}

// spread lengthens a wait by up to a fifth, by a hash, so that registries that
// failed together are not asked together, and every replica finds the same.
func spread(wait time.Duration, host string, step int32) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(host + strconv.Itoa(int(step))))
	return wait + time.Duration(float64(wait)*float64(h.Sum32()%1000)/5000)
}
