package certificate

import (
	"testing"
	"time"
)

// TestRotationsNeverBreakTrust runs several years of two servers and an API
// server that learn everything as late as they may. At every look, both servers
// must have a certificate that the API server takes.
func TestRotationsNeverBreakTrust(t *testing.T) {
	p := DefaultPeriods()
	set := fresh(t)
	bundles := history[[]byte]{{start, set.Bundle()}}
	sets := history[Set]{{start, set}}
	trustedSince := start
	now, rotations := start, 0
	look := func() {
		for _, lag := range []time.Duration{0, p.Propagation - time.Second} {
			bundle := bundles.at(now.Add(-lag))
			for _, late := range []time.Duration{0, p.Retirement - p.Propagation} {
				served := sets.at(now.Add(-late))
				if !TrustedBy(bundle, served.Serving, names, now) {
					t.Fatalf("after %s: a server that is late by %s is not trusted by an API server that is late by %s", now.Sub(start), late, lag)
				}
			}
		}
	}
	for now.Before(start.Add(4 * 365 * day)) {
		look()
		in := Input{Set: sets.at(now), Names: names, Periods: p, TrustedSince: trustedSince, Now: now}
		step := Plan(in)
		if step.Action == Keep {
			// What is late has its last moment right before something is due.
			next := step.At
			for _, event := range []time.Time{now.Add(p.Propagation - time.Second), now.Add(p.Retirement - p.Propagation)} {
				if event.Before(next) {
					now = event
					look()
				}
			}
			now = next
			continue
		}
		if step.Action == Announce {
			rotations++
			trustedSince = now
		}
		if step.Action == Restart {
			t.Fatalf("after %s everything is made anew", now.Sub(start))
		}
		changed := do(t, step.Action, in)
		sets = append(sets, moment[Set]{now, changed})
		bundles = append(bundles, moment[[]byte]{now, changed.Bundle()})
	}
	if rotations < 5 {
		t.Errorf("%d rotations of the authority in four years", rotations)
	}
}

type moment[T any] struct {
	since time.Time
	value T
}

type history[T any] []moment[T]

func (h history[T]) at(t time.Time) T {
	value := h[0].value
	for _, m := range h {
		if !m.since.After(t) {
			value = m.value
		}
	}
	return value
}
