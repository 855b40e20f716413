package simulation

import (
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// quorum is the read of all ImageCaches from the API server before a removal:
// what the informers have missed may want the images.
func (ps *pass) quorum(spec *plan.JobSpec, j *job, then func()) {
	p, w := ps.process, ps.process.world
	allowed := false
	p.request(func() error {
		var list []*plan.Cache
		for _, o := range w.api.list(caches) {
			list = append(list, o.(*cache).plan)
		}
		allowed = plan.StillUnwanted(spec.Node, ps.in.Record.NodeCacheStatus, list, spec, ps.in.Options, w.time())
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
