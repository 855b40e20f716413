package simulation

import (
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// truth follows what users really asked for, from the writes themselves: for
// each image, node and ImageCache whether it is wanted, and how the want ended.
// The planner is measured by it and never gets to see it.
type truth struct {
	world *world
	holds map[types.UID]map[string]map[types.UID]*hold
	// refreshed is when a refresh was accepted, by ImageCache and id.
	refreshed map[types.UID]map[int64]time.Duration
}

// hold is what one ImageCache has to do with one image on one node.
type hold struct {
	end ending
	// at is when it ended, since when the node was no longer selected.
	at, since time.Duration
	// recorded is true when the image was recorded as there when the want
	// ended: only then is it known to be ours to remove.
	recorded bool
	// ever is true when a want of it ended by an edit, a purge or new labels.
	ever bool
}

// ending says how a want ended.
type ending int

const (
	// wanted has not ended.
	wanted ending = iota
	// unselected ended because the node's labels changed.
	unselected
	// taken ended by an edit, a purge, or a deletion with Purge.
	taken
	// left ended because the object went and left its images behind.
	left
)

func newTruth(w *world) *truth {
	return &truth{
		world: w, holds: map[types.UID]map[string]map[types.UID]*hold{},
		refreshed: map[types.UID]map[int64]time.Duration{},
	}
}

// hold returns the hold of an ImageCache on an image, made when make is true.
func (t *truth) hold(n *node, image string, cache types.UID, create bool) *hold {
	images := t.holds[n.uid]
	if images == nil && create {
		images = map[string]map[types.UID]*hold{}
		t.holds[n.uid] = images
	}
	if images[image] == nil && create {
		images[image] = map[types.UID]*hold{}
	}
	h := images[image][cache]
	if h == nil && create {
		h = &hold{}
		images[image][cache] = h
	}
	return h
}

// follow takes in a change of an ImageCache or a Node.
func (t *truth) follow(before object, c change) {
	switch o := c.object.(type) {
	case *cache:
		old, _ := before.(*cache)
		now := o
		if c.deleted {
			old, now = o, nil
		}
		t.accepted(o)
		for _, n := range t.world.api.objects[nodes] {
			t.cacheOn(n.(*node), old, now)
		}
	case *node:
		old, _ := before.(*node)
		if c.deleted || old != nil && sameMap(old.labels, o.labels) {
			return
		}
		for _, each := range t.world.api.objects[caches] {
			t.cacheOn(o, each.(*cache), each.(*cache))
		}
	}
}

func (t *truth) accepted(o *cache) {
	if t.refreshed[o.uid] == nil {
		t.refreshed[o.uid] = map[int64]time.Duration{}
	}
	if _, known := t.refreshed[o.uid][o.operation.ID]; !known {
		t.refreshed[o.uid][o.operation.ID] = t.world.now
	}
}

// cacheOn takes in what became of an ImageCache on a node. now is nil when it
// is gone.
func (t *truth) cacheOn(n *node, old, now *cache) {
	uid := types.UID("")
	for _, version := range []*cache{old, now} {
		if version == nil {
			continue
		}
		uid = version.uid
		for _, l := range version.spec.lists {
			for _, image := range l.images {
				t.imageOn(n, image, uid, old, now)
			}
		}
	}
	if now != nil {
		return
	}
	for image, holds := range t.holds[n.uid] { // what an edit has ended before, too
		if holds[uid] != nil {
			t.imageOn(n, image, uid, old, now)
		}
	}
}

func (t *truth) imageOn(n *node, image string, uid types.UID, old, now *cache) {
	if now != nil && now.wantsAny(n, image) {
		h := t.hold(n, image, uid, true)
		*h = hold{end: wanted, ever: h.ever}
		return
	}
	h := t.hold(n, image, uid, false)
	switch {
	case h == nil:
		return // never wanted
	case h.end == taken && now == nil:
		h.recorded = h.recorded && t.world.removingOn(n, image) // else nobody has heard of it
		return
	case h.end == taken:
		return
	case now != nil && h.end == left && !now.listsFor(n, image):
		// An informer that has not heard of the deletion sees a relabeled node.
		h.end, h.at, h.since, h.ever, h.recorded = unselected, t.world.now, t.world.now, true, false
		return
	case now == nil || now.deleting && !now.spec.purges:
		over := h.end == unselected && t.world.now-h.since >= t.world.settings.grace
		if h.end = left; over || t.world.removingOn(n, image) {
			h.end = taken // its removal was decided before, and goes on
		}
		h.recorded = false
		return
	case now.deleting, now.purged(), !now.lists(image), old.spec.selectors() != now.spec.selectors(),
		identityOf(old.namespace, old.spec.secrets) != identityOf(now.namespace, now.spec.secrets):
		h.end, h.at = taken, t.world.now
	case h.end == wanted:
		h.end, h.at, h.since = unselected, t.world.now, t.world.unselectedSince(n, image)
	}
	h.recorded, h.ever = t.world.cachedOn(n, image), true
}

// pulledFor takes in that an image is pulled for an ImageCache that an informer
// still shows to want it: whoever made that happen may also undo it.
func (t *truth) pulledFor(n *node, image string, c *cache) {
	if t.hold(n, image, c.uid, false) != nil {
		return
	}
	h := t.hold(n, image, c.uid, true)
	now, exists := current(t.world, c)
	switch {
	case !exists:
		h.end = left
	case now.wantsAny(n, image):
		h.end = wanted
	default:
		h.end, h.at, h.ever = taken, t.world.now, true
	}
}

// unselectedSince is now, or when a record says, which has then not noticed that
// the node was selected again in between.
func (w *world) unselectedSince(n *node, image string) time.Duration {
	if rec := w.recordOf(n).find(image, ""); rec != nil && rec.UnselectedSince != nil {
		return rec.UnselectedSince.Sub(epoch)
	}
	return w.now
}

// removingOn tells whether the record of a node has an image as to be removed.
func (w *world) removingOn(n *node, image string) bool {
	r := w.recordOf(n)
	return r != nil && slices.ContainsFunc(r.status.Images, func(rec v1alpha2.ImageRecord) bool {
		return rec.Image == image && rec.State == v1alpha2.ImageStateRemoving
	})
}

// cachedOn tells whether the record of a node has an image as there.
func (w *world) cachedOn(n *node, image string) bool {
	r := w.recordOf(n)
	return r != nil && slices.ContainsFunc(r.status.Images, func(rec v1alpha2.ImageRecord) bool {
		return rec.Image == image && rec.State == v1alpha2.ImageStateCached
	})
}

// condemned tells whether there is a reason for a record to say that an image
// is to be removed. Informers are behind, so an old one will do.
func (t *truth) condemned(n types.UID, image string) bool {
	for _, h := range t.holds[n][image] {
		if h.ever || h.end == taken {
			return true
		}
	}
	return false
}

// forget takes in that a record was deleted: nobody knows any more what is ours.
func (t *truth) forget(n types.UID) {
	for _, image := range t.holds[n] {
		for _, h := range image {
			h.recorded = false
		}
	}
}

// mayRemove returns why an image must not be removed from a node now, "" when
// it may: nobody wants it there, and somebody who did asked to end that.
func (t *truth) mayRemove(n *node, image string) string {
	for _, o := range t.world.api.objects[caches] {
		c := o.(*cache)
		h := t.hold(n, image, c.uid, false)
		if c.wantsAny(n, image) || c.deleting && c.listsFor(n, image) && h != nil && h.end == left {
			return "wanted, or to be left behind, by " + c.name
		}
	}
	for _, h := range t.holds[n.uid][image] {
		over := t.world.now-h.since >= t.world.settings.grace-2*time.Second
		if h.end == taken || h.end == unselected && over {
			return ""
		}
	}
	return "nobody asked for that"
}

// removed takes in that a removal is done and recorded that was created then:
// another one needs another reason.
func (t *truth) removed(n types.UID, image string, created time.Duration) {
	maps.DeleteFunc(t.holds[n][image], func(_ types.UID, h *hold) bool { return h.end != wanted && h.at <= created })
}

// toBeGone tells whether an image must be gone from a node in the end: all who
// gave it up asked for its removal, or have lost the node for long enough.
func (t *truth) toBeGone(n *node, image string) bool {
	for _, h := range t.holds[n.uid][image] {
		over := t.world.now-h.since > t.world.settings.grace+time.Minute
		if !h.recorded || h.end != taken && (h.end != unselected || !over) {
			return false
		}
	}
	return len(t.holds[n.uid][image]) > 0
}

func sameMap(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}
