package report

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"

	"sigs.k8s.io/yaml"

	"github.com/kubefledged/kubefledged-operator/test/scale/accounts"
)

// Range is what is accepted of one figure.
type Range struct {
	// Min and Max include themselves; nil for none.
	Min *float64 `json:"min,omitempty"`
	Max *float64 `json:"max,omitempty"`
}

// Ranges are those of each size, such as "100x10", by figure.
type Ranges map[string]map[string]Range

// ReadRanges reads a file of Ranges and refuses what it does not know.
func ReadRanges(path string) (Ranges, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var ranges Ranges
	if err := yaml.UnmarshalStrict(content, &ranges); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return ranges, nil
}

// Size is the name of a run's size.
func (r *Result) Size() string { return fmt.Sprintf("%dx%d", r.Nodes, r.Images) }

// Figures are those that ranges are for.
func (r *Result) Figures() map[string]float64 {
	figures := map[string]float64{
		"seconds":                 r.Seconds,
		"secondsToFloor":          r.Seconds / float64(r.Pairs) / (r.Floor.Seconds / float64(r.Floor.Pairs)),
		"floorWritesPerPair":      float64(r.Floor.Tally.Writes()) / float64(r.Floor.Pairs),
		"createPeakMemoryMiB":     float64(r.CreatePeakMemory) / (1 << 20),
		"peakMemoryMiB":           float64(r.PeakMemory) / (1 << 20),
		"nodeCacheBytes":          float64(r.NodeCacheBytes),
		"imageCacheBytes":         float64(r.ImageCacheBytes),
		"readyToJobP50Seconds":    r.Started.P50,
		"readyToJobP99Seconds":    r.Started.P99,
		"readyToCachedP99Seconds": r.Cached.P99,
		"controllerEnded":         float64(r.ControllerEnded),
		"newNodesMeasured":        float64(r.Started.Count),
	}
	figures["heldPerPair"] = float64(r.Held.AfterCreate) / float64(r.Pairs)
	figures["heldPerPairReplaced"] = float64(r.Held.AfterReplaced) / float64(r.Pairs)
	figures["heldBesideMissing"] = float64(r.Held.BesideMissing)
	figures["heldBesideSlow"] = float64(r.Held.BesideSlow)
	if left := r.Held.AfterPurge; left != nil {
		figures["heldAfterPurge"] = float64(*left)
	}
	if r.IdleSeconds > 0 {
		figures["idleCPUPercent"] = r.IdleCPU
	}
	if create := r.Operation("create"); create != nil {
		figures["writesPerPair"] = float64(create.Tally.Writes()) / float64(r.Pairs)
		figures["ownWritesPerPair"] = float64(accounts.Sum(create.Tally.Own)) / float64(r.Pairs)
		figures["createCPUSeconds"] = create.CPUSeconds
		figures["auditToServerWrites"] = float64(create.Tally.Writes()+create.Tally.Apart) / float64(create.ServerWrites)
	}
	for figure, name := range map[string]string{
		"automaticRefreshOwnWrites": "automatic refresh", "refreshOwnWrites": "refresh on demand", "restartOwnWrites": "restart of the controller",
		"idleOwnWrites": "idle",
	} {
		if op := r.Operation(name); op != nil {
			figures[figure] = float64(accounts.Sum(op.Tally.Own))
		}
	}
	for figure, name := range map[string]string{
		"createJobs": "create", "automaticRefreshJobs": "automatic refresh", "refreshJobs": "refresh on demand", "restartJobs": "restart of the controller",
	} {
		if op := r.Operation(name); op != nil {
			figures[figure] = float64(op.Tally.Own["create jobs"])
		}
	}
	return figures
}

// Check returns what is outside the ranges of the run's size, a line each; a
// figure that was not measured is outside.
func (r *Result) Check(ranges Ranges) []string {
	figures := r.Figures()
	var wrong []string
	wanted, known := ranges[r.Size()]
	if !known {
		return []string{"there are no ranges for " + r.Size()}
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		value, measured := figures[name]
		within := wanted[name]
		switch {
		case !measured:
			wrong = append(wrong, name+" was not measured")
		case within.Min != nil && cmp.Less(value, *within.Min):
			wrong = append(wrong, fmt.Sprintf("%s is %.4g, at least %.4g is expected", name, value, *within.Min))
		case within.Max != nil && !(value <= *within.Max):
			wrong = append(wrong, fmt.Sprintf("%s is %.4g, at most %.4g is expected", name, value, *within.Max))
		}
	}
	return wrong
}
