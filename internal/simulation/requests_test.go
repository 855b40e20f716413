package simulation

import (
	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// quorum is the read of the Node and all ImageCaches from the API server before a
// removal: what the informers have missed may want the images.
func (ps *pass) quorum(spec *plan.JobSpec, j *job, then func()) {
	p, w := ps.process, ps.process.world
	allowed := false
	p.request(func() error {
		var list []*plan.Cache
		for _, o := range w.api.list(caches) {
			list = append(list, o.(*cache).plan)
		}
		n := w.node(spec.Node.Name)
		if n == nil || n.uid != spec.Node.UID {
			return errConflict
		}
		planned := w.planned(n)
		allowed = plan.StillUnwanted(&planned, ps.in.Record.NodeCacheStatus, list, spec, ps.in.Options, w.time())
		ps.verdict = w.promises.judgeRemoval(ps.node, j)
		return nil
	}, func(err error) {
		if err == nil && allowed {
			then()
			return
		}
		p.pacer.release(j.key())
		if err == nil {
			p.tell(ps.key, "Job %d: the images are wanted again", j.sequence)
		}
		p.done(ps.key, backoff(errConflict))
	})
}

// reconcileCache is the loop of the ImageCaches: it accepts requests, holds the
// object while its images are to go with it, and writes the status.
func (p *process) reconcileCache(k key) {
	c, ok := p.informers[caches].view[k.name].(*cache)
	if !ok {
		p.done(k, 0)
		return
	}
	d := plan.Status(p.cacheInput(c))
	p.world.promises.status(p, c, d.Status)
	if a := p.accept(c, d); !a.Empty() {
		p.request(func() error { return p.world.writeAcceptance(c, a) }, func(err error) { p.done(k, backoff(err)) })
		return
	}
	if c.deleting && !c.spec.purges || sameStatus(&c.status, &d.Status) {
		p.done(k, d.RequeueAfter)
		return
	}
	next := c.clone().(*cache)
	next.status = d.Status
	p.request(func() error { return p.world.api.update(next) }, func(err error) {
		if err == nil {
			p.world.tellStatus(next)
			for _, e := range d.Events {
				p.world.tell(c.name, "event %s: %s", e.Reason, e.Message)
			}
		}
		p.done(k, max(backoff(err), d.RequeueAfter))
	})
}

func (p *process) accept(c *cache, d plan.CacheDecision) plan.Acceptance {
	in := plan.AcceptInput{
		Now: p.world.time(), Generation: c.generation, Operation: c.operation, Annotations: map[string]string{},
		Deleting: c.deleting, PurgeOnDeletion: c.spec.purges, Held: c.finalizer,
		Served: d.Served, Released: d.Released,
	}
	for name, value := range map[string]*string{v1alpha2.AnnotationPurge: c.purge, v1alpha2.AnnotationRefresh: c.refresh} {
		if value != nil {
			in.Annotations[name] = *value
		}
	}
	return plan.Accept(in)
}

// writeAcceptance changes the metadata of an ImageCache, if it is what was read.
func (w *world) writeAcceptance(seen *cache, a plan.Acceptance) error {
	next := seen.clone().(*cache)
	next.finalizer = (next.finalizer || a.Hold) && !a.Release
	if a.Operation != nil {
		next.operation = *a.Operation
	}
	switch a.Remove {
	case v1alpha2.AnnotationPurge:
		next.purge = nil
	case v1alpha2.AnnotationRefresh:
		next.refresh = nil
	}
	next.plan = next.planned()
	err := w.api.update(next)
	if err == nil && a.Release {
		w.tell(seen.name, "is not held any more")
	}
	if err == nil && a.Operation != nil {
		w.tell(seen.name, "%s %d is accepted", a.Operation.Kind, a.Operation.ID)
	}
	return err
}
