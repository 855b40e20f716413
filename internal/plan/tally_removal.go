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
	failures  []failure
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

// namesOf returns the names that the user gave to the images of cache, by reference.
func namesOf(cache *Cache) map[string]string {
	names := map[string]string{}
	for _, list := range cache.Lists {
		for _, image := range list.Images {
			names[image.Ref] = image.Name
		}
	}
	return names
}

// remove counts what of the ImageCache is to be removed from one node, and
// returns how many removals were not tried yet.
func (t *tally) remove(view *NodeView, cache *Cache, claim *v1alpha2.Claim, names map[string]string) (due int32) {
	if claim == nil {
		return 0
	}
	wanted := map[Key]bool{}
	for _, image := range CacheImages(view.Node, cache) {
		wanted[Key{image.Ref, cache.Identity}] = true
	}
	for i := range view.Record.Images {
		rec := &view.Record.Images[i]
		if wanted[Key{rec.Image, rec.Identity}] || !slices.Contains(rec.Claims, claim.ID) {
			continue
		}
		switch t.removal(rec, cache, claim) {
		case removalDue:
			t.removals.left++
			due++
		case removalFailed:
			t.removals.left++
			f := failure{image: cmp.Or(names[rec.Image], rec.Image)}
			f.Node, f.Reason, f.Message = view.Node.Name, rec.Reason, rec.Message
			t.removals.failures = append(t.removals.failures, f)
		}
	}
	if takesRemovals(view) {
		t.removals.due += due
	}
	return due
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
func (t *tally) removal(rec *v1alpha2.ImageRecord, cache *Cache, claim *v1alpha2.Claim) removalState {
	switch {
	case rec.State != v1alpha2.ImageStateRemoving:
		t.removals.live++
		relabeled := !cache.Purged() && claim.Selectors == cache.Selectors && cache.lists(Key{rec.Image, rec.Identity})
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
func (t *tally) count(view *NodeView, cache *Cache, claim *v1alpha2.Claim, selected, settled bool, due int32) {
	purged := cache.Purged()
	if !purged && (!selected || cache.Operation.Kind != OperationRefresh) {
		return
	}
	takes := takesRemovals(view)
	served := due == 0 && (claim == nil || cache.Purging || claim.Operation >= cache.Operation.ID) && !pulls(view)
	if !purged {
		takes = Blocked(view.Node, cache) == "" && !nodeRefuses(view)
		served = settled && refreshed(view, cache, claim)
	}
	switch {
	case takes:
		t.work.nodes++
		if served {
			t.work.served++
		}
	case !served:
		t.work.waiting++
		if purged && selected {
			t.wait(Blocked(view.Node, &Cache{}))
		}
	}
}

// refreshed tells whether a node whose images are settled has carried out a
// refresh. One without a claim has not seen it, though all images may be there
// for others, unless there is nothing to claim.
func refreshed(view *NodeView, cache *Cache, claim *v1alpha2.Claim) bool {
	if claim == nil {
		return !slices.ContainsFunc(CacheImages(view.Node, cache), func(i Image) bool { return i.Invalid == "" })
	}
	return claim.Operation >= cache.Operation.ID && !anyDue(view, claim)
}

// anyDue tells whether an image of the claim is to be pulled or verified.
func anyDue(view *NodeView, claim *v1alpha2.Claim) bool {
	return slices.ContainsFunc(view.Record.Images, func(rec v1alpha2.ImageRecord) bool {
		return rec.Due != "" && slices.Contains(rec.Claims, claim.ID)
	})
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
