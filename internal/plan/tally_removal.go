package plan

import (
	"cmp"
	"slices"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// removals counts the pairs that an ImageCache does not want any more.
type removals struct {
	// left are still to be removed, due those of them that were not tried yet
	// on nodes that take a removal now.
	left, due int32
	failures  failures
	// live is the number of records that the ImageCache still holds though it
	// wants nothing of them: their nodes have not taken in its end.
	live int32
}

// work counts the nodes of a purge or refresh.
type work struct {
	// nodes can take it now, served of them have carried it out.
	nodes, served int32
	// waiting can not, and have not.
	waiting int32
}

// done tells whether all who can have carried it out, and that is somebody.
func (w work) done() bool { return w.nodes == w.served && (w.nodes > 0 || w.waiting == 0) }

// recorded tells whether there is a record of the node, not of one of its name
// that was replaced.
func (v *NodeView) recorded() bool {
	return v.Record != nil && v.Record.NodeUID == v.Node.UID
}

// claimIn returns the claim of cache on the node, nil when there is none.
func claimIn(view *NodeView, cache *Cache) *v1alpha2.Claim {
	if !view.recorded() {
		return nil
	}
	for i := range view.Record.Claims {
		if view.Record.Claims[i].UID == cache.UID {
			return &view.Record.Claims[i]
		}
	}
	return nil
}

// nameOf returns the name that the user gave to an image, or its reference.
func (t *tally) nameOf(ref string) string {
	if t.names == nil {
		t.names = map[string]string{}
		for _, list := range t.cache.Lists {
			for _, image := range list.Images {
				t.names[image.Ref] = image.Name
			}
		}
	}
	return cmp.Or(t.names[ref], ref)
}

// remove counts a record of something that the ImageCache does not want on its
// node, where it holds it, and returns 1 for a removal that was not tried yet.
func (t *tally) remove(p *part, rec *v1alpha2.ImageRecord) (due int32) {
	if !slices.Contains(rec.Claims, p.claim.ID) {
		return 0
	}
	switch t.removal(rec, p.claim) {
	case removalDue:
		t.removals.left++
		return 1
	case removalFailed:
		t.removals.left++
		f := failure{image: t.nameOf(rec.Image)}
		f.Node, f.Reason, f.Message = p.Node.Name, rec.Reason, rec.Message
		t.removals.failures.add(f)
	}
	return 0
}

type removalState int

const (
	// removalNone: the image stays, or is somebody else's.
	removalNone removalState = iota
	removalDue
	removalFailed
)

// removal says how a record stands that the ImageCache has a claim on and does
// not want. Before the node has taken in an edit or a purge, the record is what
// it was: it counts as to be removed when that is what the node will make of it.
func (t *tally) removal(rec *v1alpha2.ImageRecord, claim *v1alpha2.Claim) removalState {
	switch {
	case rec.State != v1alpha2.ImageStateRemoving:
		t.removals.live++
		relabeled := !t.cache.Purged() && claim.Selectors == t.cache.Selectors && t.cache.lists(Key{rec.Image, rec.Identity})
		if relabeled || len(rec.Claims) > 1 || !maybeThere(rec) {
			return removalNone
		}
		return removalDue
	case rec.Reason == v1alpha2.ReasonImageShared:
		return removalNone
	case rec.Attempts == 0:
		return removalDue
	default:
		return removalFailed
	}
}

// takesRemovals tells whether images can be removed from the node now. The
// tolerations of an ImageCache are for its pulls, and so is its suspension.
func takesRemovals(view *NodeView) bool {
	return Blocked(view.Node, &Cache{}) == "" && !nodeRefuses(view)
}

// count counts one node of the operation: the purge or refresh that was
// accepted last, or the deletion.
func (t *tally) count(p *part, settled bool, due int32) {
	purged := t.cache.Purged()
	if !purged && (!p.selected || t.cache.Operation.Kind != OperationRefresh) {
		return
	}
	takes := takesRemovals(p.NodeView)
	served := due == 0 && (p.claim == nil || t.cache.Purging || p.claim.Operation >= t.cache.Operation.ID) && !pulls(p.NodeView)
	if !purged {
		takes = p.blocked == "" && !nodeRefuses(p.NodeView)
		served = settled && t.refreshed(p)
	}
	switch {
	case takes:
		t.work.nodes++
		if served {
			t.work.served++
		}
	case !served:
		t.work.waiting++
		if purged && p.selected {
			t.wait(Blocked(p.Node, &Cache{}))
		}
	}
}

// refreshed tells whether a node whose images are settled has carried out a
// refresh. One without a claim has not seen it, though all images may be there
// for others, unless there is nothing to claim.
func (t *tally) refreshed(p *part) bool {
	if p.claim == nil {
		return len(p.set.places) == 0
	}
	return p.claim.Operation >= t.cache.Operation.ID && !p.anyDue()
}

// anyDue tells whether an image that is wanted here is to be pulled or verified.
// One that is claimed still, on a relabeled node, is the business of others.
func (p *part) anyDue() bool {
	return slices.ContainsFunc(p.found, func(rec *v1alpha2.ImageRecord) bool { return rec != nil && rec.Due != "" })
}

// pulls tells whether a Job of the ImageCache is there whose outcome is not
// recorded: it may yet bring what was to go.
func pulls(view *NodeView) bool {
	return slices.ContainsFunc(view.Pulls, func(sequence int64) bool {
		if !view.recorded() {
			return true
		}
		r := view.Record
		return sequence > r.Sequence || sequence == r.SlowJob || slices.Contains(r.OpenJobs, sequence)
	})
}
