package simulation

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// The promises about refreshes and removals.

// acceptance is when a node's record took in an operation of an ImageCache.
type acceptance struct {
	id int64
	at time.Duration
}

// pullsAreNew: what is recorded as cached is pulled again for a reason only.
func (p *promises) pullsAreNew(ps *pass, j *job) {
	r, ok := p.world.api.objects[records]["/"+j.node].(*record)
	if !ok || r.status.NodeUID != j.nodeUID || p.meddled[j.nodeUID] || j.work != plan.JobPull {
		return
	}
	for i := range r.status.Images {
		rec := &r.status.Images[i]
		if rec.State != v1alpha2.ImageStateCached || rec.Identity != j.identity || !contains(j.images, rec.Image) {
			continue
		}
		if !p.refreshDue(ps, rec) {
			p.world.breakPromise("Job %s pulls %s, which is cached on %s: %+v", j.name, rec.Image, j.node, *rec)
		}
	}
}

// refreshDue tells whether an image that is there is to be pulled again: it is
// pulled always, and a refresh was accepted since its last pull began, or the
// last one was long ago or has failed.
func (p *promises) refreshDue(ps *pass, rec *v1alpha2.ImageRecord) bool {
	key := plan.Key{Image: rec.Image, Identity: rec.Identity}
	last := p.repulled[ps.node.uid][key]
	due := p.troubled[ps.node.uid][key] > last
	for _, o := range ps.caches {
		c := o.(*cache)
		due = due || c.spec.interval > 0 && c.wants(ps.node, rec.Image, rec.Identity) && p.world.now-last > c.spec.interval
	}
	always := false
	for uid := range p.holds[ps.node.uid][rec.Image] {
		due = due || p.accepts[ps.node.uid][uid].at > last
		always = always || p.always[uid]
	}
	return always && due
}

// refreshedSince tells whether an image that is there was shown to be there
// after its ImageCache was last refreshed.
func (p *promises) refreshedSince(rec *v1alpha2.ImageRecord, c *cache) bool {
	if c.operation.Kind != plan.OperationRefresh || c.operation.Generation != c.generation {
		return true
	}
	at, known := p.refreshed[c.uid][c.operation.ID]
	return known && rec.Time.Sub(epoch) >= at-2*time.Second
}

// operationsAreTrue: a node takes in each operation once, and none that the
// ImageCache never had.
func (p *promises) operationsAreTrue(r *record) {
	for i := range r.status.Claims {
		claim := &r.status.Claims[i]
		known := p.accepts[r.status.NodeUID]
		if known == nil {
			known = map[types.UID]acceptance{}
			p.accepts[r.status.NodeUID] = known
		}
		if _, ok := p.refreshed[claim.UID][claim.Operation]; !ok {
			p.world.breakPromise("%s has taken in operation %d of %s, which never was", r.name, claim.Operation, claim.Name)
		}
		if claim.Operation > known[claim.UID].id {
			known[claim.UID] = acceptance{claim.Operation, p.world.now}
		}
	}
}

// judgeRemoval is called with the quorum read before a removal: it says what
// speaks against it, "" for nothing.
func (p *promises) judgeRemoval(n *node, j *job) string {
	now := p.world.node(n.name)
	if now == nil || now.uid != n.uid {
		return "" // it will find no node
	}
	for _, image := range j.images {
		if why := p.mayRemove(now, image); why != "" {
			return "removes " + image + " from " + n.name + ": " + why
		}
	}
	return ""
}

// removing is called when a removal begins its work on a node. Its pod was bound
// by the node's name; on another machine of that name it must not do harm.
func (p *promises) removing(k *kubelet, j *job) {
	n := p.world.node(k.name)
	if j.nodeUID == k.uid || n == nil || n.uid != k.uid {
		return
	}
	for _, o := range p.world.api.objects[caches] {
		for _, image := range j.images {
			if c := o.(*cache); c.wantsAny(n, image) && k.images.has(image) {
				p.world.breakPromise("%s removes %s from another machine, where %s wants it", j.name, image, c.name)
			}
		}
	}
}

// letGo: an object that is deleted with its images goes when all records know
// what to remove, or after ten minutes.
func (p *promises) letGo(c *cache) {
	if !c.deleting || !c.spec.purges || p.world.time().Sub(c.deletedAt) >= 10*time.Minute {
		return
	}
	for _, o := range p.world.api.list(nodes) {
		n := o.(*node)
		r := p.world.recordOf(n)
		claim := r.claim(c.uid)
		if claim == nil {
			continue
		}
		for i := range r.status.Images {
			rec := &r.status.Images[i]
			if rec.State == v1alpha2.ImageStateCached && slices.Contains(rec.Claims, claim.ID) {
				p.world.breakPromise("%s is gone before %s knows that %s is to be removed", c.name, n.name, rec.Image)
			}
		}
	}
}

// served: an operation is called complete when the records of all nodes that get
// work have taken it in and have nothing left of it to do.
func (p *promises) served(pr *process, c *cache, last *v1alpha2.OperationStatus) {
	before := c.status.LastOperation
	if c.deleting && !c.spec.purges {
		return // nobody writes the status of one that just goes
	}
	if last == nil || last.CompletionTime == nil || before != nil && before.ID == last.ID && before.CompletionTime != nil {
		return
	}
	for _, o := range pr.informers[nodes].list() {
		n := o.(*node)
		r := pr.record(n.name)
		claim := r.claim(c.uid)
		if last.Kind == string(plan.OperationRefresh) && !c.selects(n) {
			continue // what it still holds there is on its way out
		}
		if claim == nil || r.status.NodeUID != n.uid || r.status.Wait != nil || !eligible(c, n) || len(n.taints) > 0 {
			continue
		}
		if claim.Operation < last.ID {
			p.world.breakPromise("the %s of %s is complete, and %s has not taken it in", last.Kind, c.name, n.name)
		}
		for i := range r.status.Images {
			rec := &r.status.Images[i]
			todo := rec.Due != "" || rec.State == v1alpha2.ImageStateRemoving && rec.Attempts == 0 && rec.Reason == ""
			if todo && slices.Contains(rec.Claims, claim.ID) && c.wantsAny(n, rec.Image) != c.purged() {
				p.world.breakPromise("the %s of %s is complete, and %s of %s is not done", last.Kind, c.name, rec.Image, n.name)
			}
		}
	}
}
