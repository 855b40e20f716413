package simulation

import (
	"cmp"
	"errors"
	"strconv"
	"time"

	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// request sends a write. It arrives after its latency, even if the process is
// dead by then, unless something is in the way; the answer may get lost.
func (p *process) request(do func() error, then func(error)) {
	w := p.world
	w.after(w.latency(), func() {
		if w.now > p.lands {
			return
		}
		var err error
		switch {
		case w.chance(w.weather.failed):
			err = errServer
		case w.chance(w.weather.conflict):
			err = errConflict
		default:
			p.writes++
			if err = do(); w.chance(w.weather.lost) {
				err = errServer
			}
		}
		if !p.dead {
			then(err)
		}
	})
}

// tell adds a line about what this replica does to the story. Which replica
// it is matters only when there are two.
func (p *process) tell(k key, format string, args ...any) {
	if p.world.leaders() > 1 {
		format = p.name + ": " + format
	}
	p.world.tell(k.name, format, args...)
}

// pass is one reconcile of a node under way.
type pass struct {
	process *process
	key     key
	in      plan.NodeInput
	// node and caches are what the decision saw; node is nil when it is gone.
	node   *node
	caches []object
	// seen is the NodeCache as it was read, nil while there is none.
	seen    *record
	actions []plan.Action
	again   time.Duration
	// verdict is what speaks against the removal it is about to create.
	verdict string
}

// reconcileNode is the node loop: read, decide, carry out.
func (p *process) reconcileNode(k key) {
	n := p.node(k.name)
	if n == nil {
		p.forget(k)
		return
	}
	in := p.input(n)
	d := plan.Decide(in)
	for _, note := range d.Notes {
		p.tell(k, "%s", note)
	}
	ps := &pass{
		process: p, key: k, in: in, node: n, caches: p.informers[caches].list(),
		seen: p.record(k.name), actions: d.Actions, again: d.RequeueAfter,
	}
	ps.next()
}

// forget deletes the Jobs of a node that is gone.
func (p *process) forget(k key) {
	ps := &pass{process: p, key: k}
	for _, o := range p.informers[jobs].list() {
		if j := o.(*job); j.node == k.name && !j.deleting {
			ps.actions = append(ps.actions, plan.DeleteJob{Namespace: j.namespace, Name: j.name, UID: j.uid})
		}
	}
	ps.next()
}

// next carries out the next action, up to the first error.
func (ps *pass) next() {
	if len(ps.actions) == 0 {
		ps.process.done(ps.key, ps.again)
		return
	}
	action := ps.actions[0]
	ps.actions = ps.actions[1:]
	switch a := action.(type) {
	case plan.DropRecord:
		ps.send(func() error { return gone(ps.process.world.api.remove(records, "/"+ps.key.name, a.UID)) })
	case plan.WriteRecord:
		ps.write(a)
	case plan.DeleteJob:
		ps.delete(a)
	case plan.CreateJob:
		ps.create(&a.Spec)
	}
}

func (ps *pass) send(do func() error) {
	ps.process.request(do, func(err error) {
		if err != nil {
			ps.process.tell(ps.key, "error: %v", err)
			ps.process.done(ps.key, backoff(err))
			return
		}
		ps.next()
	})
}

// gone makes an object that is not there no error.
func gone(err error) error {
	if errors.Is(err, errNotFound) {
		return nil
	}
	return err
}

func (ps *pass) write(a plan.WriteRecord) {
	ps.send(func() error {
		status := roundTrip(a.Status)
		if ps.seen == nil {
			return ps.process.world.api.create(&record{meta: meta{kind: records, name: ps.key.name}, status: status})
		}
		r := ps.seen.clone().(*record)
		r.status = status
		err := ps.process.world.api.update(r)
		if err == nil {
			ps.process.world.promises.recorded(ps, &status)
		}
		return err
	})
}

func (ps *pass) delete(a plan.DeleteJob) {
	ps.send(func() error {
		w := ps.process.world
		j, ok := w.api.objects[jobs][a.Namespace+"/"+a.Name].(*job)
		if ok && j.uid == a.UID {
			w.promises.deleting(ps, j)
			if a.Foreground {
				w.control.foreground(j)
				return nil
			}
		}
		return gone(w.api.remove(jobs, a.Namespace+"/"+a.Name, a.UID))
	})
}

// jobName is the name a Job gets: one for each sequence of a NodeCache.
func jobName(spec *plan.JobSpec) string {
	what := "remove"
	if spec.Owner != nil {
		what = spec.Owner.Name
	}
	return what + "-" + string(spec.NodeCacheUID) + "-" + strconv.FormatInt(spec.Sequence, 10)
}

// create makes a Job when the pacer has a slot for it.
func (ps *pass) create(spec *plan.JobSpec) {
	p, w := ps.process, ps.process.world
	j := newJob(spec)
	if !p.pacer.reserve(j, spec.Beside) {
		p.tell(ps.key, "Job %d waits for a slot", j.sequence)
		p.done(ps.key, slotWait)
		return
	}
	fresh := func() error {
		if r, ok := w.api.objects[records]["/"+ps.key.name].(*record); !ok || r.uid != ps.seen.uid || r.version != ps.seen.version {
			return errConflict
		}
		return nil
	}
	p.request(fresh, func(err error) {
		if err != nil {
			p.pacer.release(j.key())
			p.tell(ps.key, "Job %d: the record it was planned on is old", j.sequence)
			p.done(ps.key, backoff(err))
			return
		}
		if j.work == plan.JobRemove {
			ps.quorum(spec, j, func() { ps.post(spec, j) })
			return
		}
		ps.post(spec, j)
	})
}

// post sends the create.
func (ps *pass) post(spec *plan.JobSpec, j *job) {
	p, w := ps.process, ps.process.world
	p.request(func() error {
		if w.forbidden[j.namespace] {
			return errRefused
		}
		w.promises.creating(ps, j)
		return w.api.create(j)
	}, func(err error) { ps.created(spec, j, err) })
}

// created deals with the answer to a create. After an unknown one the slot stays
// until it is known whether the Job is there.
func (ps *pass) created(spec *plan.JobSpec, j *job, err error) {
	p := ps.process
	switch {
	case err == nil:
		p.pacer.made(j)
		ps.next()
	case errors.Is(err, errExists):
		ps.existing(spec, j)
	case errors.Is(err, errRefused):
		p.pacer.release(j.key())
		p.tell(ps.key, "Job %d: the API server refuses it", j.sequence)
		ps.write(plan.WriteRecord{Status: plan.RefuseJob(ps.in.Record.NodeCacheStatus, spec, err, ps.in.Now)})
	default:
		p.done(ps.key, backoff(err))
	}
}

// existing deals with a Job of the name we chose: ours from a moment ago.
func (ps *pass) existing(spec *plan.JobSpec, j *job) {
	there, ok := ps.process.world.api.objects[jobs][j.key()].(*job)
	switch {
	case !ok:
		ps.process.pacer.release(j.key())
		ps.process.done(ps.key, time.Second)
	case there.nodeUID == spec.Node.UID && there.owner == j.owner:
		ps.process.done(ps.key, time.Second)
	default:
		ps.process.pacer.release(j.key())
		ps.write(plan.WriteRecord{Status: plan.SkipSequence(ps.in.Record.NodeCacheStatus, spec.Sequence)})
	}
}

// removalNamespace is where removals run.
const removalNamespace = "fledged-node"

func newJob(spec *plan.JobSpec) *job {
	j := &job{
		meta: meta{kind: jobs, namespace: removalNamespace, name: jobName(spec)},
		work: cmp.Or(spec.Kind, plan.JobPull), node: spec.Node.Name, nodeUID: spec.Node.UID, owner: spec.NodeCacheUID,
		sequence: spec.Sequence, identity: spec.Identity, deadline: spec.Deadline, together: spec.Together,
		keep: spec.Keep, record: spec.NodeCacheUID,
	}
	if spec.Owner != nil {
		j.namespace, j.owner, j.selectors = spec.Owner.Namespace, spec.Owner.UID, spec.Owner.Selectors
	}
	for _, want := range spec.Images {
		j.images = append(j.images, want.Image)
		j.always = append(j.always, want.Policy == "Always")
	}
	return j
}
