package plan

import (
	"cmp"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// maxImagesBytes bounds the summaries of images in an ImageCache's status, in
// bytes. Together with maxFailuresBytes and everything else it keeps the status
// under 256 KiB, whatever the number of nodes and images.
const maxImagesBytes = 96 << 10

// tally counts the pairs of one ImageCache.
type tally struct {
	cache  *Cache
	total  v1alpha2.PairCounts
	nodes  v1alpha2.NodeCounts
	images []v1alpha2.ImageSummary
	// byImage is where in images an image is, by the name the user gave it.
	byImage  map[string]int
	sets     map[string]*imageSet
	found    []*v1alpha2.ImageRecord
	failures failures
	removals removals
	// names are those that the user gave to the images, by reference; made
	// when one is needed.
	names map[string]string
	// work is how far the operation is.
	work work
}

func tallyNodes(in CacheInput) *tally {
	t := &tally{cache: in.Cache, byImage: map[string]int{}, sets: map[string]*imageSet{}}
	for i := range in.Nodes {
		t.add(&in.Nodes[i])
	}
	return t
}

// part is what one node contributes to a tally: what is found out once for a
// node and not for each of its images.
type part struct {
	*NodeView
	// selected is true when a list is for the node, set what it names.
	selected bool
	set      *imageSet
	// claim of the ImageCache on the node; nil when there is none.
	claim *v1alpha2.Claim
	// found are the records of the set's images, nil where there is none.
	found []*v1alpha2.ImageRecord
	// blocked is why the ImageCache gets no new work there; empty when it does.
	blocked string
	// outdated is true when the record is of an earlier spec, or of before a
	// refresh: its failures are about to be forgotten and tried again (see
	// forget), and must not be reported as those of what was asked for now.
	outdated bool
}

// add counts one node, if it concerns the ImageCache.
func (t *tally) add(view *NodeView) {
	p := part{NodeView: view, claim: claimIn(view, t.cache)}
	p.set, p.selected = t.setOf(view.Node)
	if !p.selected && p.claim == nil {
		return
	}
	p.blocked = Blocked(view.Node, t.cache)
	p.outdated = p.claim != nil && (p.claim.Generation < t.cache.Generation || p.claim.Operation < t.cache.Operation.ID)
	due := t.readRecords(&p)
	settled := true
	if p.selected {
		settled = t.node(&p)
	}
	t.count(&p, settled, due)
}

// readRecords finds the records of what the ImageCache wants on a node, counts
// those that are to be removed, and returns how many of these were not tried
// yet. Records of a node that was replaced count for nothing.
func (t *tally) readRecords(p *part) (due int32) {
	p.found = t.noRecords(len(p.set.images))
	if !p.recorded() {
		return 0
	}
	for i := range p.Record.Images {
		rec := &p.Record.Images[i]
		if place, wanted := p.set.places[rec.Image]; wanted && rec.Identity == t.cache.Identity {
			p.found[place] = rec
		} else if p.claim != nil {
			due += t.remove(p, rec)
		}
	}
	if takesRemovals(p.NodeView) {
		t.removals.due += due
	}
	return due
}

// noRecords returns n nils, in the place of those of the last node.
func (t *tally) noRecords(n int) []*v1alpha2.ImageRecord {
	if cap(t.found) < n {
		t.found = make([]*v1alpha2.ImageRecord, n)
	}
	t.found = t.found[:n]
	clear(t.found)
	return t.found
}

// node counts the pairs of one selected node, and tells whether all are
// settled that can be.
func (t *tally) node(p *part) (settled bool) {
	t.nodes.Selected++
	if len(p.set.images) == 0 {
		return true
	}
	complete, waits, settled := true, false, true
	for i := range p.set.images {
		image, rec := &p.set.images[i], p.found[i]
		state := t.pairState(p, image, rec)
		t.pair(p.set.summary[i], state)
		if state == pairFailed {
			t.fail(p.Node.Name, image, rec)
		}
		complete = complete && state == pairCached
		waits = waits || state == pairWaiting
		settled = settled && state != pairPulling && state != pairPending
	}
	if complete {
		t.nodes.Complete++
	}
	if waits {
		t.wait(p.blocked)
	}
	return settled
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
func (t *tally) pairState(p *part, image *Image, rec *v1alpha2.ImageRecord) pair {
	switch {
	case image.Invalid != "":
		return pairFailed
	case rec != nil && rec.State == v1alpha2.ImageStateCached && (rec.Reason == "" || p.outdated):
		return pairCached
	case rec != nil && (rec.State == v1alpha2.ImageStateFailed || rec.State == v1alpha2.ImageStateCached) && !p.outdated:
		return pairFailed
	case p.InFlight[Key{image.Ref, t.cache.Identity}] && p.Node.Unavailable != v1alpha2.WaitingNotReady:
		return pairPulling
	case p.blocked != "" || nodeRefuses(p.NodeView):
		return pairWaiting
	default:
		return pairPending
	}
}

func nodeRefuses(view *NodeView) bool {
	return view.recorded() && view.Record.Wait != nil
}

// pair counts one pair of the image with this summary.
func (t *tally) pair(summary int, state pair) {
	for _, counts := range []*v1alpha2.PairCounts{&t.total, &t.images[summary].PairCounts} {
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

func (t *tally) fail(node string, image *Image, rec *v1alpha2.ImageRecord) {
	f := failure{image: image.Name}
	f.Node, f.Reason, f.Message = node, v1alpha2.ReasonInvalidImageName, image.Invalid
	if rec != nil {
		f.Reason, f.Message = rec.Reason, rec.Message
	}
	t.failures.add(f)
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
