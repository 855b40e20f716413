package plan

import (
	"cmp"
	"encoding/json"
	"slices"

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
	removals removals
	// work is how far the operation is.
	work work
}

func tallyNodes(in CacheInput) *tally {
	t := &tally{byImage: map[string]int{}}
	names := namesOf(in.Cache)
	for i := range in.Nodes {
		view := &in.Nodes[i]
		selected, claim := concerns(view.Node, in.Cache), claimIn(view, in.Cache)
		if !selected && claim == nil {
			continue
		}
		settled := true
		if selected {
			settled = t.node(view, in.Cache)
		}
		due := t.remove(view, in.Cache, claim, names)
		t.count(view, in.Cache, claim, selected, settled, due)
	}
	return t
}

// concerns tells whether any list is for node, also of a cache that wants
// nothing there because it was purged or is being deleted with its images.
func concerns(node *Node, cache *Cache) bool {
	return (!cache.Deleting || cache.Purging) && slices.ContainsFunc(cache.Lists, func(l List) bool {
		return l.Selects(node.Name, node.Labels)
	})
}

// node counts the pairs of one selected node, and tells whether all are
// settled that can be.
func (t *tally) node(view *NodeView, cache *Cache) (settled bool) {
	t.nodes.Selected++
	images := CacheImages(view.Node, cache)
	if len(images) == 0 {
		return true
	}
	records := recordsOf(view)
	blocked := Blocked(view.Node, cache)
	complete, waits, settled := true, false, true
	for _, image := range images {
		state, rec := pairState(image, cache, records, view, blocked)
		t.pair(image, state)
		if state == pairFailed {
			t.fail(view.Node.Name, image, rec)
		}
		complete = complete && state == pairCached
		waits = waits || state == pairWaiting
		settled = settled && state != pairPulling && state != pairPending
	}
	if complete {
		t.nodes.Complete++
	}
	if waits {
		t.wait(blocked)
	}
	return settled
}

// recordsOf indexes the records of a node; those of a replaced node count for nothing.
func recordsOf(view *NodeView) map[Key]*v1alpha2.ImageRecord {
	if !view.recorded() {
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
// failure while it is tried again, so that the status does not flap; an image
// that is there and whose refresh failed is one.
func pairState(image Image, cache *Cache, records map[Key]*v1alpha2.ImageRecord, view *NodeView, blocked string) (pair, *v1alpha2.ImageRecord) {
	if image.Invalid != "" {
		return pairFailed, nil
	}
	key := Key{image.Ref, cache.Identity}
	rec := records[key]
	switch {
	case rec != nil && rec.State == v1alpha2.ImageStateCached && (rec.Reason == "" || outdated(view.Record, cache)):
		return pairCached, rec
	case rec != nil && (rec.State == v1alpha2.ImageStateFailed || rec.State == v1alpha2.ImageStateCached) && !outdated(view.Record, cache):
		return pairFailed, rec
	case view.InFlight[key] && view.Node.Unavailable != v1alpha2.WaitingNotReady:
		return pairPulling, rec
	case blocked != "" || nodeRefuses(view):
		return pairWaiting, rec
	default:
		return pairPending, rec
	}
}

// outdated tells whether a record is of an earlier spec of cache, or of before
// a refresh: its failures are about to be forgotten and tried again (see
// forget), and must not be reported as those of what was asked for now.
func outdated(record *v1alpha2.NodeCacheStatus, cache *Cache) bool {
	for i := range record.Claims {
		if claim := &record.Claims[i]; claim.UID == cache.UID {
			return claim.Generation < cache.Generation || claim.Operation < cache.Operation.ID
		}
	}
	return false
}

func nodeRefuses(view *NodeView) bool {
	return view.recorded() && view.Record.Wait != nil
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
	out, size, listed := map[string]v1alpha2.NodeReasonMessageList{}, 0, 0
	total := len(t.failures) + len(t.removals.failures)
	if total == 0 {
		return nil, 0
	}
	for _, list := range [][]failure{t.failures, t.removals.failures} {
		for _, f := range list {
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
