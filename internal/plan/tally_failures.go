package plan

import (
	"encoding/json"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// maxFailuresBytes bounds the failures in an ImageCache's status, in bytes.
const maxFailuresBytes = 96 << 10

// failure is one failed pair.
type failure struct {
	image string
	v1alpha2.NodeReasonMessage
}

// failures are failed pairs: their number, and as many of the first ones as
// fit into a status. At least one is listed when there is any.
type failures struct {
	total  int
	listed []failure
	bytes  int
}

func (f *failures) add(one failure) {
	f.total++
	if f.bytes <= maxFailuresBytes {
		f.bytes += bytesOf(one)
		f.listed = append(f.listed, one)
	}
}

// boundedFailures returns the failures by image, as many as the bound allows,
// and how many were left out.
func (t *tally) boundedFailures() (map[string]v1alpha2.NodeReasonMessageList, int32) {
	out, size, listed := map[string]v1alpha2.NodeReasonMessageList{}, 0, 0
	total := t.failures.total + t.removals.failures.total
	if total == 0 {
		return nil, 0
	}
	for _, list := range []failures{t.failures, t.removals.failures} {
		for _, f := range list.listed {
			size += bytesOf(f)
			if size > maxFailuresBytes {
				return out, int32(total - listed)
			}
			out[f.image] = append(out[f.image], f.NodeReasonMessage)
			listed++
		}
	}
	return out, 0
}

// bytesOf returns how much a failure adds to the object. JSON escapes some
// characters six times over, and registries behind proxies answer in HTML.
func bytesOf(f failure) int {
	text, _ := json.Marshal([]any{f.image, f.NodeReasonMessage}) // strings always marshal
	return len(text)
}
