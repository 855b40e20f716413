package plan

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// followClaims brings the record in line with the ImageCaches. An edit forgets
// failures, so that they are tried again at once; a refresh marks what is to be
// looked at; each record is claimed by all who want it, and when the last claim
// has ended by an edit or a purge the image is to be removed. A claim whose
// ImageCache is gone proves nothing: it is dropped and the image stays.
func (d *nodePlan) followClaims() {
	d.forgetFailures()
	d.acceptOperations()
	for i := range d.ledger.status.Images {
		d.followRecord(&d.ledger.status.Images[i])
	}
	d.dropSettled()
	for i := range d.wants {
		if rec := d.ledger.get(d.wants[i].Key); rec != nil {
			added := d.addClaims(rec, d.wants[i].Claimants)
			d.catchUp(rec, added)
		}
	}
	d.ledger.pruneClaims(d.wantsAny)
}

// wantsAny tells whether the ImageCache with this uid wants an image here.
func (d *nodePlan) wantsAny(uid types.UID) bool {
	cache := d.caches[uid]
	return cache != nil && slices.ContainsFunc(d.wants, func(w Want) bool { return slices.Contains(w.Claimants, cache) })
}

// addClaims adds the claims of those who want an image, and returns whose were
// not there.
func (d *nodePlan) addClaims(rec *v1alpha2.ImageRecord, claimants []*Cache) (added []*Cache) {
	for _, cache := range claimants {
		claim := d.ledger.claimOf(cache)
		if claim.Selectors != cache.Selectors {
			claim.Selectors = cache.Selectors
			d.ledger.changed = true
		}
		if !slices.Contains(rec.Claims, claim.ID) {
			rec.Claims = append(rec.Claims, claim.ID)
			d.ledger.changed = true
			added = append(added, cache)
		}
	}
	return added
}

// catchUp marks an image that was there before a refresh, for those who asked
// for it and claim the image only now: marks go to what is claimed.
func (d *nodePlan) catchUp(rec *v1alpha2.ImageRecord, added []*Cache) {
	for _, c := range added {
		refreshed := c.Operation.Kind == OperationRefresh && rec.Time.Time.Before(c.Operation.Time)
		if refreshed && rec.State == v1alpha2.ImageStateCached {
			rec.Due = d.dueOf(rec)
		}
	}
}

// standing is how a claim on an image stands.
type standing int

const (
	// live claims hold the image.
	live standing = iota
	// unselected claims hold it for a while: the node was relabeled.
	unselected
	// ended claims ended by an edit or a purge.
	ended
	// vanished claims are of an ImageCache that is gone.
	vanished
)

// followRecord ends the claims on one image, and marks it when none is left.
func (d *nodePlan) followRecord(rec *v1alpha2.ImageRecord) {
	key := Key{rec.Image, rec.Identity}
	if _, wanted := d.wanted[key]; rec.State == v1alpha2.ImageStateRemoving || wanted {
		d.followWanted(rec, wanted)
		return
	}
	by := map[standing][]int32{}
	for _, id := range rec.Claims {
		s := d.stand(key, id)
		by[s] = append(by[s], id)
	}
	switch {
	case len(by[live]) > 0:
		d.setClaims(rec, slices.Concat(by[live], by[unselected]))
	case len(by[unselected]) > 0 && !d.graceOver(rec):
		d.setClaims(rec, by[unselected])
	case len(by[unselected])+len(by[ended]) > 0:
		d.condemn(rec, slices.Concat(by[unselected], by[ended]))
	default:
		d.setClaims(rec, nil) // dropSettled drops it; the image stays
	}
}

// followWanted ends the single claims on an image that others still want.
func (d *nodePlan) followWanted(rec *v1alpha2.ImageRecord, wanted bool) {
	if rec.State == v1alpha2.ImageStateRemoving || !wanted {
		return
	}
	key := Key{rec.Image, rec.Identity}
	over := func(id int32) bool {
		s := d.stand(key, id)
		return s == ended || s == vanished
	}
	if slices.ContainsFunc(rec.Claims, over) {
		d.setClaims(rec, slices.DeleteFunc(slices.Clone(rec.Claims), over))
	}
	if rec.UnselectedSince != nil {
		rec.UnselectedSince = nil
		d.ledger.changed = true
	}
}

// stand tells how the claim of this id on an image stands.
func (d *nodePlan) stand(key Key, id int32) standing {
	claim := d.ledger.claimByID(id)
	if claim == nil {
		return vanished
	}
	cache := d.caches[claim.UID]
	switch i, wanted := d.wanted[key]; {
	case cache == nil:
		return vanished
	case cache.Purged():
		return ended
	case cache.Deleting:
		return live // until it is gone
	case wanted && slices.Contains(d.wants[i].Claimants, cache):
		return live
	case cache.lists(key) && claim.Selectors == cache.Selectors:
		return unselected
	default:
		return ended
	}
}

// graceOver tells whether the node has been without the labels that select it
// for longer than the grace.
func (d *nodePlan) graceOver(rec *v1alpha2.ImageRecord) bool {
	if rec.UnselectedSince == nil {
		rec.UnselectedSince = &metav1.Time{Time: d.in.Now}
		d.ledger.changed = true
	}
	left := rec.UnselectedSince.Add(d.in.Options.UnselectedGrace).Sub(d.in.Now)
	if left > 0 {
		d.lookAgain(left)
	}
	return left <= 0
}

func (d *nodePlan) setClaims(rec *v1alpha2.ImageRecord, ids []int32) {
	if !slices.Equal(rec.Claims, ids) {
		rec.Claims = ids
		d.ledger.changed = true
	}
}

// condemn marks an image whose last claim has ended; ended are those claims.
func (d *nodePlan) condemn(rec *v1alpha2.ImageRecord, ended []int32) {
	if !maybeThere(rec) {
		rec.Claims = nil
		d.ledger.changed = true
		return
	}
	d.notef("%s is wanted no more: to be removed", rec.Image)
	*rec = v1alpha2.ImageRecord{
		Image: rec.Image, Identity: rec.Identity, State: v1alpha2.ImageStateRemoving,
		Claims: ended, Time: metav1.NewTime(d.in.Now), Digest: rec.Digest, SizeBytes: rec.SizeBytes,
	}
	d.ledger.changed = true
}

// maybeThere tells whether the image of a record may be on the node: also when
// its pull took too long, because a kubelet does not stop a pull.
func maybeThere(rec *v1alpha2.ImageRecord) bool {
	switch rec.State {
	case v1alpha2.ImageStateCached, v1alpha2.ImageStateDeferred, v1alpha2.ImageStateRemoving:
		return true
	default:
		return rec.Reason == v1alpha2.ReasonPullDeadlineExceeded
	}
}

// dropSettled drops what needs no record any more: what nobody claims, and
// what was to be removed but is wanted or held again, with whatever identity.
func (d *nodePlan) dropSettled() {
	held := d.heldAgain()
	d.ledger.drop(func(rec *v1alpha2.ImageRecord) bool {
		_, wanted := d.wanted[Key{rec.Image, rec.Identity}]
		if rec.State == v1alpha2.ImageStateRemoving {
			return held[rec.Image]
		}
		return !wanted && (len(rec.Claims) == 0 || !maybeThere(rec))
	})
}

// heldAgain returns the images that somebody wants or holds, when any is to be
// removed; else nobody asks.
func (d *nodePlan) heldAgain() map[string]bool {
	images := d.ledger.status.Images
	if !slices.ContainsFunc(images, func(r v1alpha2.ImageRecord) bool { return r.State == v1alpha2.ImageStateRemoving }) {
		return nil
	}
	held := map[string]bool{}
	for i := range d.wants {
		held[d.wants[i].Image] = true
	}
	for i := range images {
		if rec := &images[i]; rec.State != v1alpha2.ImageStateRemoving && len(rec.Claims) > 0 && maybeThere(rec) {
			held[rec.Image] = true
		}
	}
	return held
}

// forgetFailures forgets the failures of ImageCaches that were edited since.
// Failures recorded in this very pass stay: they are of the new spec.
func (d *nodePlan) forgetFailures() {
	d.forget(func(c *Cache) bool {
		claim := d.ledger.claim(c.UID)
		return claim != nil && claim.Generation < c.Generation
	})
}

// forget makes the failed images that a claimant of this kind wants due again.
func (d *nodePlan) forget(of func(*Cache) bool) {
	failedFor := func(rec *v1alpha2.ImageRecord) bool {
		i, wanted := d.wanted[Key{rec.Image, rec.Identity}]
		failed := rec.State != v1alpha2.ImageStateCached || rec.Attempts > 0
		return wanted && failed && rec.Time.Time.Before(d.in.Now) && slices.ContainsFunc(d.wants[i].Claimants, of)
	}
	for i := range d.ledger.status.Images {
		rec := &d.ledger.status.Images[i]
		if rec.State == v1alpha2.ImageStateCached && failedFor(rec) {
			rec.Attempts, rec.Reason, rec.Message = 0, "", ""
			rec.Due = d.dueOf(rec)
			d.ledger.changed = true
		}
	}
	d.ledger.drop(func(rec *v1alpha2.ImageRecord) bool {
		return rec.State != v1alpha2.ImageStateCached && failedFor(rec)
	})
}

// acceptOperations takes in the purges and refreshes that this node has not
// seen. What they ask for is in the record from then on: a purge ends claims,
// a refresh forgets failures and marks what is there.
func (d *nodePlan) acceptOperations() {
	for i := range d.ledger.status.Claims {
		claim := &d.ledger.status.Claims[i]
		cache := d.caches[claim.UID]
		if cache == nil || cache.Operation.ID <= claim.Operation {
			continue
		}
		d.notef("%s of %s/%s: accepted", cache.Operation.Kind, cache.Namespace, cache.Name)
		claim.Operation = cache.Operation.ID
		d.ledger.changed = true
		if cache.Operation.Kind == OperationPurge {
			d.removeAgain(claim.ID)
		}
		if cache.Operation.Kind == OperationRefresh {
			d.forget(func(c *Cache) bool { return c.UID == claim.UID })
			d.markRefresh(claim.ID)
		}
	}
}

// removeAgain makes the failed removals of a claim due: a purge was asked for anew.
func (d *nodePlan) removeAgain(claim int32) {
	for i := range d.ledger.status.Images {
		rec := &d.ledger.status.Images[i]
		if rec.State == v1alpha2.ImageStateRemoving && rec.Attempts > 0 && slices.Contains(rec.Claims, claim) {
			rec.Attempts, rec.Reason, rec.Message = 0, "", ""
		}
	}
}

func (d *nodePlan) markRefresh(claim int32) {
	for i := range d.ledger.status.Images {
		rec := &d.ledger.status.Images[i]
		if rec.State == v1alpha2.ImageStateCached && slices.Contains(rec.Claims, claim) {
			rec.Due = d.dueOf(rec)
		}
	}
}

// dueOf returns what a refresh means for an image that is there: one whose tag
// may have moved is pulled again, of another it is verified that it is there.
func (d *nodePlan) dueOf(rec *v1alpha2.ImageRecord) v1alpha2.DueWork {
	i, wanted := d.wanted[Key{rec.Image, rec.Identity}]
	switch {
	case !wanted:
		return ""
	case d.wants[i].Policy == corev1.PullAlways:
		return v1alpha2.DuePull
	default:
		return v1alpha2.DueVerify
	}
}

// syncGenerations notes the generations that this write has applied.
func (d *nodePlan) syncGenerations() {
	for _, cache := range d.in.Caches {
		if claim := d.ledger.claim(cache.UID); claim != nil {
			claim.Generation = cache.Generation
		}
	}
}

// byUID indexes ImageCaches.
func byUID(caches []*Cache) map[types.UID]*Cache {
	index := make(map[types.UID]*Cache, len(caches))
	for _, cache := range caches {
		index[cache.UID] = cache
	}
	return index
}

// refreshEvery returns the shortest interval at which a claimant wants the
// image to be pulled again; 0 for never.
func refreshEvery(want *Want) time.Duration {
	shortest := time.Duration(0)
	for _, cache := range want.Claimants {
		if every := cache.RefreshInterval; every > 0 && (shortest == 0 || every < shortest) {
			shortest = every
		}
	}
	return shortest
}
