package plan

import (
	"cmp"
	"encoding/json"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// Bounds of an ImageCache's status in bytes. Together with everything else
// they keep it under 256 KiB, whatever the number of nodes and images.
const (
	maxFailuresBytes = 96 << 10
	maxImagesBytes   = 96 << 10
)

// failure is one failed pair.
type failure struct {
	image string
	v1alpha2.NodeReasonMessage
}

// tally counts the pairs of one ImageCache.
type tally struct {
	total    v1alpha2.PairCounts
	nodes    v1alpha2.NodeCounts
	images   []v1alpha2.ImageSummary
	byImage  map[string]int
	failures []failure
}

func tallyNodes(in CacheInput) *tally {
	t := &tally{byImage: map[string]int{}}
	for i := range in.Nodes {
		if Selects(in.Nodes[i].Node, in.Cache) {
			t.node(&in.Nodes[i], in.Cache)
		}
	}
	return t
}

// node counts the pairs of one selected node.
func (t *tally) node(view *NodeView, cache *Cache) {
	t.nodes.Selected++
	records := recordsOf(view)
	blocked := Blocked(view.Node, cache)
	complete, waits := true, false
	for _, image := range CacheImages(view.Node, cache) {
		state, rec := pairState(image, cache, records, view, blocked)
		t.pair(image, state)
		if state == pairFailed {
			t.fail(view.Node.Name, image, rec)
		}
		complete = complete && state == pairCached
		waits = waits || state == pairWaiting
	}
	if complete {
		t.nodes.Complete++
	}
	if waits {
		t.wait(blocked)
	}
}

// recordsOf indexes the records of a node; those of a replaced node count for nothing.
func recordsOf(view *NodeView) map[Key]*v1alpha2.ImageRecord {
	if view.Record == nil || view.Record.NodeUID != view.Node.UID {
		return nil
	}
	records := make(map[Key]*v1alpha2.ImageRecord, len(view.Record.Images))
	for i := range view.Record.Images {
		rec := &view.Record.Images[i]
		records[Key{rec.Image, rec.Identity}] = rec
	}
	return records
}

type pair int

const (
	pairCached pair = iota
	pairPulling
	pairPending
	pairFailed
	pairWaiting
)

// pairState says what is known of one image on one node. A failure stays a
// failure while it is tried again, so that the status does not flap.
func pairState(image Image, cache *Cache, records map[Key]*v1alpha2.ImageRecord, view *NodeView, blocked string) (pair, *v1alpha2.ImageRecord) {
	if image.Invalid != "" {
		return pairFailed, nil
	}
	key := Key{image.Ref, cache.Identity}
	rec := records[key]
	switch {
	case rec != nil && rec.State == v1alpha2.ImageStateCached:
		return pairCached, rec
	case rec != nil && rec.State == v1alpha2.ImageStateFailed && !outdated(view.Record, cache):
		return pairFailed, rec
	case view.InFlight[key]:
		return pairPulling, rec
	case blocked != "" || nodeRefuses(view):
		return pairWaiting, rec
	default:
		return pairPending, rec
	}
}

// outdated tells whether a record is of an earlier spec of cache: its failures
// are about to be forgotten and tried again (see forgetFailures), and must not
// be reported as those of the new spec.
func outdated(record *v1alpha2.NodeCacheStatus, cache *Cache) bool {
	for i := range record.Claims {
		if record.Claims[i].UID == cache.UID {
			return record.Claims[i].Generation < cache.Generation
		}
	}
	return false
}

func nodeRefuses(view *NodeView) bool {
	return view.Record != nil && view.Record.NodeUID == view.Node.UID && view.Record.Wait != nil
}

func (t *tally) pair(image Image, state pair) {
	i, seen := t.byImage[image.Name]
	if !seen {
		i = len(t.images)
		t.byImage[image.Name] = i
		t.images = append(t.images, v1alpha2.ImageSummary{Image: image.Name})
	}
	for _, counts := range []*v1alpha2.PairCounts{&t.total, &t.images[i].PairCounts} {
		counts.Desired++
		switch state {
		case pairCached:
			counts.Cached++
		case pairPulling:
			counts.Pulling++
		case pairPending:
			counts.Pending++
		case pairFailed:
			counts.Failed++
		case pairWaiting:
			counts.Waiting++
		}
	}
}

func (t *tally) wait(reason string) {
	t.nodes.Waiting++
	if t.nodes.WaitingReasons == nil {
		t.nodes.WaitingReasons = map[string]int32{}
	}
	t.nodes.WaitingReasons[cmp.Or(reason, v1alpha2.WaitingPodRefused)]++
}

func (t *tally) fail(node string, image Image, rec *v1alpha2.ImageRecord) {
	f := failure{image: image.Name}
	f.Node, f.Reason, f.Message = node, v1alpha2.ReasonInvalidImageName, image.Invalid
	if rec != nil {
		f.Reason, f.Message = rec.Reason, rec.Message
	}
	t.failures = append(t.failures, f)
}

// boundedFailures returns the failures by image, as many as the bound allows,
// and how many were left out.
func (t *tally) boundedFailures() (map[string]v1alpha2.NodeReasonMessageList, int32) {
	if len(t.failures) == 0 {
		return nil, 0
	}
	out, size := map[string]v1alpha2.NodeReasonMessageList{}, 0
	for i, f := range t.failures {
		size += bytesOf(f)
		if size > maxFailuresBytes {
			return out, int32(len(t.failures) - i)
		}
		out[f.image] = append(out[f.image], f.NodeReasonMessage)
	}
	return out, 0
}

// bytesOf returns how much a failure adds to the object. JSON escapes some
// characters six times over, and registries behind proxies answer in HTML.
func bytesOf(f failure) int {
	text, _ := json.Marshal([]any{f.image, f.NodeReasonMessage}) // strings always marshal
	return len(text)
}

// boundedImages returns the summaries, as many as the bound allows, and how
// many were left out.
func (t *tally) boundedImages() ([]v1alpha2.ImageSummary, int32) {
	size := 0
	for i := range t.images {
		size += len(t.images[i].Image) + 128
		if size > maxImagesBytes {
			return t.images[:i], int32(len(t.images) - i)
		}
	}
	return t.images, 0
}
