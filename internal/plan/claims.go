package plan

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// followClaims brings the record in line with the ImageCaches: each record is
// claimed by all who want it, an edit forgets the failures of the ImageCache
// so that they are tried again at once, and failures nobody wants are dropped.
// Claims only grow here: they end by edit or purge, never by absence.
func (d *nodePlan) followClaims() {
	d.forgetFailures()
	d.ledger.drop(func(rec *v1alpha2.ImageRecord) bool {
		_, wanted := d.wanted[Key{rec.Image, rec.Identity}]
		return !wanted && rec.State != v1alpha2.ImageStateCached
	})
	for i := range d.wants {
		if rec := d.ledger.get(d.wants[i].Key); rec != nil {
			d.addClaims(d.wants[i].Key, d.wants[i].Claimants)
		}
	}
}

func (d *nodePlan) addClaims(key Key, claimants []*Cache) {
	for _, cache := range claimants {
		id := d.ledger.claimOf(cache).ID
		if rec := d.ledger.get(key); !slices.Contains(rec.Claims, id) {
			rec.Claims = append(rec.Claims, id)
			d.ledger.changed = true
		}
	}
}

// forgetFailures drops the failed records of ImageCaches that were edited
// since. Failures recorded in this very pass stay: they are of the new spec.
func (d *nodePlan) forgetFailures() {
	edited := map[types.UID]bool{}
	for _, cache := range d.in.Caches {
		claim := d.ledger.claim(cache.UID)
		edited[cache.UID] = claim != nil && claim.Generation < cache.Generation
	}
	d.ledger.drop(func(rec *v1alpha2.ImageRecord) bool {
		i, wanted := d.wanted[Key{rec.Image, rec.Identity}]
		return wanted && rec.State != v1alpha2.ImageStateCached && rec.Time.Time.Before(d.in.Now) &&
			slices.ContainsFunc(d.wants[i].Claimants, func(c *Cache) bool { return edited[c.UID] })
	})
}

// syncGenerations notes the generations that this write has applied.
func (d *nodePlan) syncGenerations() {
	for _, cache := range d.in.Caches {
		if claim := d.ledger.claim(cache.UID); claim != nil {
			claim.Generation = cache.Generation
		}
	}
}
