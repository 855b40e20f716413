package report

import (
	"math"
	"slices"
)

// Percentiles returns those of values, by nearest rank.
func Percentiles(values []float64) Latency {
	if len(values) == 0 {
		return Latency{}
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := func(p float64) float64 { return sorted[int(math.Ceil(p*float64(len(sorted))))-1] }
	return Latency{Count: len(sorted), P50: rank(0.50), P99: rank(0.99), Max: sorted[len(sorted)-1]}
}
