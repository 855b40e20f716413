package simulation

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// promises are what the design says always holds. They are checked at every
// write and every pull, against what really happened, which the controller
// under test never gets to see.
type promises struct {
	world *world
	*truth
	// wanted are the images that any ImageCache ever named.
	wanted map[string]bool
	// pulled are the pairs shown by a pull, by node uid.
	pulled map[types.UID]map[plan.Key]bool
	// blobs are the images whose blobs were fetched, by node uid.
	blobs map[types.UID]map[string]bool
	// repulled is when the last pull that a record took in was created, by node
	// uid; accepted is when the record took in an operation.
	repulled map[types.UID]map[plan.Key]time.Duration
	accepts  map[types.UID]map[types.UID]acceptance
	// troubled is when the last failure of a pair was recorded.
	troubled map[types.UID]map[plan.Key]time.Duration
	// always are the ImageCaches that ever pulled always.
	always map[types.UID]bool
	// sequences are the highest of each NodeCache uid.
	sequences map[types.UID]int64
	// accounted are the Jobs whose outcome a written record has taken in. Two
	// Jobs can have one number: one made on a decision that was seconds old when
	// another had come and gone. Either accounts for it; what is lost is tried again.
	accounted map[numbered]bool
	// recordOf is the NodeCache uid each Job name was made for.
	recordOf map[string]types.UID
	// sizes are what nodes have reported.
	sizes map[string]int64
	// ours are the Jobs that the controller deleted; meddled are the nodes where
	// somebody else did, or where a leader that was deposed made one, so that a
	// pull may be done again.
	ours, meddled map[types.UID]bool
	pulls         int
}

// numbered is a Job as a record counts it.
type numbered struct {
	record   types.UID
	sequence int64
}

func newPromises(w *world) *promises {
	return &promises{
		world: w, truth: newTruth(w), wanted: map[string]bool{}, pulled: map[types.UID]map[plan.Key]bool{},
		blobs: map[types.UID]map[string]bool{}, sequences: map[types.UID]int64{},
		repulled: map[types.UID]map[plan.Key]time.Duration{}, accepts: map[types.UID]map[types.UID]acceptance{},
		always: map[types.UID]bool{}, troubled: map[types.UID]map[plan.Key]time.Duration{},
		accounted: map[numbered]bool{}, recordOf: map[string]types.UID{}, sizes: map[string]int64{},
		ours: map[types.UID]bool{}, meddled: map[types.UID]bool{},
	}
}

func (p *promises) size(ref string) (int64, bool) {
	s, ok := p.sizes[ref]
	return s, ok
}

// check looks at every change of the API server's objects.
func (p *promises) check(before object, c change) {
	p.follow(before, c)
	switch o := c.object.(type) {
	case *job:
		switch {
		case before == nil:
			p.jobsAreFew(o)
		case c.deleted && !p.ours[o.uid]:
			p.meddled[o.nodeUID] = true
		}
	case *record:
		if c.deleted {
			p.forget(o.status.NodeUID)
			return
		}
		old, _ := before.(*record)
		p.recordIsTrue(old, o)
		p.operationsAreTrue(o)
	case *cache:
		if c.deleted {
			p.letGo(o)
		}
		p.always[o.uid] = p.always[o.uid] || o.spec.always
		for _, l := range o.spec.lists {
			for _, image := range l.images {
				p.wanted[image] = true
			}
		}
	}
}

// setAside tells whether a Job is left to its slow image. Where the record is
// gone, with its node or by a user, a create that was under way may still land.
func (p *promises) setAside(j *job) bool {
	r, ok := p.world.api.objects[records]["/"+j.node].(*record)
	return !ok || r.status.NodeUID == j.nodeUID && r.status.SlowJob == j.sequence
}

// spent tells whether a Job has shown that all its images are there: its
// kubelet pulls nothing more for it.
func (p *promises) spent(j *job) bool {
	for _, o := range p.world.api.objects[pods] {
		if made := o.(*pod); made.job.uid == j.uid && len(made.shown) > 0 {
			return !slices.ContainsFunc(made.shown, func(i outcome.Image) bool { return i.Kind != outcome.Pulled })
		}
	}
	return false
}

// jobsAreFew: never more unfinished Jobs than the cap, and one on a node that
// still pulls, but for one that is left to its slow image. Beside what verifies
// or removes there is none of any kind.
func (p *promises) jobsAreFew(made *job) {
	unfinished, pulls := 0, 0
	for _, o := range p.world.api.objects[jobs] {
		j := o.(*job)
		if j.finished {
			continue
		}
		unfinished++
		if j == made || j.nodeUID != made.nodeUID || j.deleting || p.setAside(j) {
			continue
		}
		if j.work == plan.JobPull && made.work == plan.JobPull && p.spent(j) {
			continue
		}
		if pulls++; pulls >= max(1, p.world.settings.pulls) || j.work != plan.JobPull || made.work != plan.JobPull {
			p.world.breakPromise("too many unfinished Jobs on node %s: %s and %s", j.node, j.name, made.name)
		}
	}
	if most := p.world.settings.surge; most > 0 && unfinished > most {
		p.world.breakPromise("%d unfinished Jobs, the cap is %d", unfinished, most)
	}
}

// admitting is called when a kubelet takes a pod: what verifies and what
// removes is alone on its node. A pod that was made for a Job that is gone, and
// what a user or a deposed leader did, is not the planner's doing.
func (p *promises) admitting(k *kubelet, made *pod) {
	if made.orphan || p.meddled[k.uid] {
		return
	}
	for _, pw := range k.work {
		now, ok := current(p.world, pw.pod)
		if !ok || now.phase == ended || now.uid == made.uid || now.orphan {
			continue
		}
		if now.job.work != plan.JobPull || made.job.work != plan.JobPull {
			p.world.breakPromise("%s runs on %s while %s does", made.name, k.name, now.name)
		}
	}
}

// recordIsTrue: Cached means shown by a pull with that identity on that node
// uid, and the sequence only grows.
func (p *promises) recordIsTrue(old, r *record) {
	if r.status.Sequence < p.sequences[r.uid] {
		p.world.breakPromise("the sequence of %s fell from %d to %d", r.name, p.sequences[r.uid], r.status.Sequence)
	}
	p.sequences[r.uid] = r.status.Sequence
	if old != nil && old.uid == r.uid && old.status.NodeUID != r.status.NodeUID {
		p.world.breakPromise("the record of %s changed its node uid", r.name)
	}
	n := p.world.node(r.name)
	if n == nil || n.uid != r.status.NodeUID {
		return // of a node that is gone; nobody reads it, see status
	}
	for i := range r.status.Images {
		rec := &r.status.Images[i]
		before := old.find(rec.Image, rec.Identity)
		if rec.State == v1alpha2.ImageStateRemoving && (before == nil || before.State != rec.State) && !p.condemned(n.uid, rec.Image) {
			p.world.breakPromise("%s is to be removed from %s, and nobody asked for that", rec.Image, r.name)
		}
		if before != nil && before.State == v1alpha2.ImageStateCached && rec.State == v1alpha2.ImageStateFailed {
			p.world.breakPromise("%s was there on %s, and a failed refresh says it is not", rec.Image, r.name)
		}
		if rec.Attempts > 0 {
			note(p.troubled, n.uid, plan.Key{Image: rec.Image, Identity: rec.Identity}, p.world.now)
		}
		if rec.State == v1alpha2.ImageStateCached && !p.pulled[n.uid][plan.Key{Image: rec.Image, Identity: rec.Identity}] {
			p.world.breakPromise("%s is recorded as cached on %s for %s, but never was", rec.Image, r.name, rec.Identity)
		}
	}
}

// creating: only what somebody wants is pulled, nothing that is recorded as
// cached already unless a refresh is due, and only what is ours is removed.
func (p *promises) creating(ps *pass, j *job) {
	p.recordOf[j.key()] = ps.in.Record.UID
	if w := p.world; ps.process.dead || ps.process != w.processes[len(w.processes)-1] {
		p.meddled[j.nodeUID] = true // the last breath of a leader that is gone
	}
	if j.work == plan.JobRemove {
		if ps.verdict != "" {
			p.world.breakPromise("Job %s %s", j.name, ps.verdict)
		}
		return
	}
	for _, image := range j.images {
		wanted := false
		for _, o := range ps.caches {
			c := o.(*cache)
			if c.wants(ps.node, image, j.identity) && eligible(c, ps.node) {
				wanted = true
				p.pulledFor(ps.node, image, c)
			}
		}
		if !wanted {
			p.world.breakPromise("Job %s pulls %s, which nobody that gets work there wants on %s", j.name, image, j.node)
		}
	}
	p.pullsAreNew(ps, j)
}

// recorded notes the Jobs that a write of the record has taken in.
func (p *promises) recorded(ps *pass, status *v1alpha2.NodeCacheStatus) {
	for i := range ps.in.Jobs {
		j := &ps.in.Jobs[i]
		if j.Gone || !counted(status, j.Sequence) {
			continue
		}
		p.accounted[numbered{ps.in.Record.UID, j.Sequence}] = true
		if !counted(&ps.in.Record.NodeCacheStatus, j.Sequence) || j.Sequence == ps.in.Record.SlowJob {
			p.outcomes(ps.node.uid, j)
		}
	}
}

// counted tells whether a record has taken in the Job of this number.
func counted(status *v1alpha2.NodeCacheStatus, sequence int64) bool {
	return sequence <= status.Sequence && !slices.Contains(status.OpenJobs, sequence)
}

// outcomes takes in what a record was told of a Job.
func (p *promises) outcomes(n types.UID, j *plan.Job) {
	for i, result := range j.Attempt.Images {
		switch {
		case result.Kind == outcome.Removed:
			p.removed(n, j.Images[i], j.Created.Sub(epoch))
		case result.Kind == outcome.Pulled && j.Kind == plan.JobPull:
			note(p.repulled, n, plan.Key{Image: j.Images[i], Identity: j.Identity}, j.Created.Sub(epoch))
		}
	}
}

func note(m map[types.UID]map[plan.Key]time.Duration, n types.UID, key plan.Key, at time.Duration) {
	if m[n] == nil {
		m[n] = map[plan.Key]time.Duration{}
	}
	m[n][key] = at
}

// expiring: a Job whose time to live has passed goes whether it is recorded or not.
func (p *promises) expiring(j *job) {
	if p.accounted[numbered{p.recordOf[j.key()], j.sequence}] {
		p.ours[j.uid] = true
	}
}

// deleting: a Job goes only when its outcome is recorded, or never can be.
func (p *promises) deleting(ps *pass, j *job) {
	p.ours[j.uid] = true
	switch {
	case ps.node == nil || ps.node.uid != j.nodeUID:
	case ps.seen == nil || ps.seen.uid != p.recordOf[j.key()]:
	case p.accounted[numbered{ps.seen.uid, j.sequence}], p.meddled[j.nodeUID]:
	default:
		p.world.breakPromise("Job %s is deleted and its outcome is not recorded", j.name)
	}
}

// pulling is called when a kubelet begins a pull.
func (p *promises) pulling(k *kubelet, j *job, image string) {
	p.pulls++
	if !p.wanted[image] {
		p.world.breakPromise("%s is pulled on %s by %s, and nobody ever wanted it", image, k.name, j.name)
	}
}

// fetched is called when the blobs of an image have arrived.
func (p *promises) fetched(k *kubelet, image, id string) {
	if p.blobs[k.uid] == nil {
		p.blobs[k.uid] = map[string]bool{}
	}
	if p.blobs[k.uid][id] {
		p.world.breakPromise("the blobs of %s were fetched twice on %s", image, k.name)
	}
	p.blobs[k.uid][id] = true
	p.sizes[image] = int64(p.world.registry.megabytes[image]) << 20
}

// lost is called when an image has gone from a node.
func (p *promises) lost(k *kubelet, id string) { delete(p.blobs[k.uid], id) }

// proven is called when a pull has shown an image to be there.
func (p *promises) proven(k *kubelet, key plan.Key) {
	if p.pulled[k.uid] == nil {
		p.pulled[k.uid] = map[plan.Key]bool{}
	}
	p.pulled[k.uid][key] = true
}

// status: the counts are those of the records the status loop saw.
func (p *promises) status(pr *process, c *cache, s v1alpha2.ImageCacheStatus) {
	desired, cached := int32(0), int32(0)
	for _, o := range pr.informers[nodes].list() {
		n := o.(*node)
		r := pr.record(n.name)
		for image := range c.images(n) {
			desired++
			if r != nil && r.status.NodeUID == n.uid && r.shows(image, c) {
				cached++
			}
		}
	}
	if s.Desired != desired || s.Cached != cached {
		p.world.breakPromise("status of %s says %s, the records say %d/%d", c.name, s.Progress, cached, desired)
	}
	p.served(pr, c, s.LastOperation)
	if sum := s.Cached + s.Pulling + s.Pending + s.Failed + s.Waiting; sum != s.Desired {
		p.world.breakPromise("status of %s: %d desired, but the states add up to %d", c.name, s.Desired, sum)
	}
}

// shows tells whether a record has an image as there for a cache, and the last
// try with it has not failed, as far as that is of this spec and request.
func (o *record) shows(image string, c *cache) bool {
	rec := o.find(image, identityOf(c.namespace, c.spec.secrets))
	if rec == nil || rec.State != v1alpha2.ImageStateCached {
		return false
	}
	claim := o.claim(c.uid)
	outdated := claim != nil && (claim.Generation < c.generation || claim.Operation < c.operation.ID)
	return rec.Reason == "" || outdated
}

// images are those the cache wants on a node.
func (o *cache) images(n *node) map[string]bool {
	all := map[string]bool{}
	for _, l := range o.spec.lists {
		if !o.deleting && !o.purged() && matches(n.labels, l.selector) {
			for _, image := range l.images {
				all[image] = true
			}
		}
	}
	return all
}

// leaders counts the replicas that are not dead.
func (w *world) leaders() int {
	n := 0
	for _, p := range w.processes {
		if !p.dead {
			n++
		}
	}
	return n
}
