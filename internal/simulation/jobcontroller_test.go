package simulation

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// jobController makes pods for Jobs, notes their end, and collects the garbage
// of what was deleted.
type jobController struct{ world *world }

// react plans what follows from a change.
func (c *jobController) react(before object, ch change) {
	w := c.world
	switch o := ch.object.(type) {
	case *job:
		switch {
		case ch.deleted:
			w.after(w.lag(), func() { c.collectPods(o.uid) })
		case before == nil:
			w.after(w.spread(300*time.Millisecond)+w.lag(), func() { c.makePod(o) })
			w.after(w.lag(), func() { c.collectJob(o) })
			w.after(time.Duration(len(o.images))*o.deadline+10*time.Minute, func() { c.backstop(o) })
		}
	case *pod:
		if ch.deleted || o.phase == ended || o.deleting {
			w.after(w.lag(), func() { c.finish(o.job, o) })
		}
		if before == nil && w.node(o.job.node) == nil {
			w.after(40*time.Second, func() { c.collectOrphan(o) })
		}
	case *cache:
		if ch.deleted {
			w.after(w.lag(), func() { c.collectJobs(o.uid) })
		}
	case *node:
		if ch.deleted {
			c.nodeLeft(o)
		}
	case *record:
		switch {
		case ch.deleted:
			w.after(w.lag(), func() { c.collectJobs(o.uid) })
		case before == nil:
			w.after(w.lag(), func() { c.collectRecord(o) })
		}
	}
}

// current returns the object as it is now, nil when it is gone or another one.
func current[T object](w *world, o T) (now T, ok bool) {
	if found, isT := w.api.objects[o.head().kind][o.key()].(T); isT && found.head().uid == o.head().uid {
		return found, true
	}
	return now, false
}

// makePod gives a Job its pod; the Job may just have gone without the Job
// controller knowing, then the pod is an orphan from the start.
func (c *jobController) makePod(j *job) {
	w := c.world
	now, ok := current(w, j)
	switch {
	case ok && (now.finished || now.deleting), !ok && !w.chance(0.3):
		return
	case w.quota[j.namespace]:
		w.after(w.spread(10*time.Second), func() { c.makePod(j) })
		return
	}
	p := &pod{meta: meta{kind: pods, namespace: j.namespace, name: j.name + "-pod"}, job: j, orphan: !ok}
	if w.api.create(p) == nil && !ok {
		w.after(w.lag(), func() { c.collectPods(j.uid) })
	}
}

// finish notes the end of a Job whose pod has ended or is gone. It is complete
// when every container has run to its end.
func (c *jobController) finish(j *job, last *pod) {
	if now, ok := current(c.world, j); ok && !now.finished && !now.deleting {
		complete := last != nil && last.phase == ended && last.refused == nil
		c.world.api.patch(j, func(o object) { o.(*job).finished, o.(*job).failed = true, !complete })
		c.world.after(jobTTL, func() { c.expire(j) })
	}
	if now, ok := current(c.world, j); ok && now.deleting && len(c.podsOf(j.uid)) == 0 {
		_ = c.world.api.remove(jobs, j.key(), j.uid)
	}
}

// jobTTL is how long finished Jobs stay that nobody deletes.
const jobTTL = 10 * time.Minute

// expire deletes a finished Job and its pods, as the TTL controller does.
func (c *jobController) expire(j *job) {
	if _, ok := current(c.world, j); ok {
		c.world.promises.expiring(j)
		_ = c.world.api.remove(jobs, j.key(), j.uid)
	}
}

// backstop is activeDeadlineSeconds.
func (c *jobController) backstop(j *job) {
	if now, ok := current(c.world, j); ok && !now.finished {
		c.finish(j, nil)
		c.collectPods(j.uid)
	}
}

func (c *jobController) podsOf(uid types.UID) []*pod {
	var found []*pod
	for _, o := range c.world.api.list(pods) {
		if p := o.(*pod); p.job.uid == uid {
			found = append(found, p)
		}
	}
	return found
}

// collectPods marks the pods of a Job for deletion; their kubelet does it.
func (c *jobController) collectPods(uid types.UID) {
	for _, p := range c.podsOf(uid) {
		if !p.deleting {
			c.world.api.patch(p, func(o object) { o.(*pod).deleting = true })
		}
	}
}

// foreground deletes a Job so that it stays until its pods are gone.
func (c *jobController) foreground(j *job) {
	c.world.api.patch(j, func(o object) { o.(*job).deleting = true })
	c.collectPods(j.uid)
	c.world.after(time.Second, func() { c.finish(j, nil) })
}

func (c *jobController) collectOrphan(p *pod) {
	if c.world.node(p.job.node) == nil {
		_ = c.world.api.remove(pods, p.key(), p.uid)
	}
}

// collectJob deletes a Job whose owner is gone already.
func (c *jobController) collectJob(j *job) {
	for _, k := range []kind{caches, records} {
		for _, o := range c.world.api.objects[k] {
			if o.head().uid == j.owner {
				return
			}
		}
	}
	_ = c.world.api.remove(jobs, j.key(), j.uid)
}

func (c *jobController) collectJobs(owner types.UID) {
	for _, o := range c.world.api.list(jobs) {
		if o.(*job).owner == owner {
			_ = c.world.api.remove(jobs, o.key(), o.head().uid)
		}
	}
}

// nodeLeft collects what belonged to a Node: its record by owner reference,
// its pods by the pod garbage collector.
func (c *jobController) nodeLeft(n *node) {
	w := c.world
	lag := w.lag()
	if w.chance(0.3) {
		lag = 5 * time.Hour // the garbage collector can be far behind
	}
	w.after(lag, func() {
		if r, ok := w.api.objects[records]["/"+n.name].(*record); ok && r.status.NodeUID == n.uid {
			_ = w.api.remove(records, r.key(), r.uid)
		}
	})
	for _, p := range w.pods(n.name) {
		w.after(40*time.Second, func() { c.collectOrphan(p) })
	}
}

// collectRecord deletes a record whose Node is gone already.
func (c *jobController) collectRecord(r *record) {
	if n := c.world.node(r.name); n == nil || n.uid != r.status.NodeUID {
		_ = c.world.api.remove(records, r.key(), r.uid)
	}
}
