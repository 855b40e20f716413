package simulation

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// What users, cluster administrators and node controllers do.

// join adds a node.
func (w *world) join(name string, labels map[string]string) {
	n := &node{meta: meta{kind: nodes, name: name}, labels: labels, ready: true, bootID: w.bootID()}
	if w.api.create(n) == nil {
		w.kubelets[string(n.uid)] = newKubelet(w, n)
		w.tell(name, "joins")
		w.syncKubelet(name)
	}
}

// bootID is a new one.
func (w *world) bootID() string {
	w.boots++
	return "boot-" + strconv.Itoa(w.boots)
}

// leave removes a node, with its image store.
func (w *world) leave(name string) {
	if n := w.node(name); n != nil {
		k := w.kubelets[string(n.uid)]
		k.abort()
		k.up, k.work = false, nil
		w.tell(name, "leaves")
		_ = w.api.remove(nodes, n.key(), n.uid)
	}
}

// replace exchanges a node for another machine of the same name.
func (w *world) replace(name string, after time.Duration) {
	if n := w.node(name); n != nil {
		w.leave(name)
		w.after(after, func() { w.join(name, n.labels) })
	}
}

// editNode changes a Node as it is now.
func (w *world) editNode(name, what string, edit func(*node)) {
	if n := w.node(name); n != nil {
		w.tell(name, "%s", what)
		w.api.patch(n, func(o object) { edit(o.(*node)) })
	}
}

// fail makes a node not ready; its kubelet does nothing until it is back.
func (w *world) fail(name string, lasts time.Duration) {
	n := w.node(name)
	if n == nil || !n.ready {
		return
	}
	w.kubelets[string(n.uid)].restart(lasts)
	w.editNode(name, "is not ready", func(n *node) { n.ready = false })
	w.after(lasts, func() {
		if now := w.node(name); now != nil && now.uid == n.uid {
			w.editNode(name, "is ready again", func(n *node) { n.ready = true })
		}
	})
}

// apply creates an ImageCache or edits its spec.
func (w *world) apply(namespace, name string, s spec) {
	if s.deadline == 0 {
		s.deadline = 5 * time.Minute
	}
	old, exists := w.api.objects[caches][namespace+"/"+name].(*cache)
	if exists {
		w.editCache(old, func(now *spec) { *now = s })
		return
	}
	c := &cache{meta: meta{kind: caches, namespace: namespace, name: name}, generation: 1, spec: s}
	// The plan needs the uid that create is about to give.
	c.uid, c.created = types.UID(fmt.Sprintf("uid-%d", w.api.version+1)), w.time().Truncate(time.Second)
	c.plan = c.planned()
	w.tell(name, "is created")
	_ = w.api.create(c)
}

// editCache changes the spec of an ImageCache.
func (w *world) editCache(c *cache, edit func(*spec)) {
	w.tell(c.name, "is edited")
	w.api.patch(c, func(o object) {
		now := o.(*cache)
		now.spec.lists = slices.Clone(now.spec.lists)
		edit(&now.spec)
		now.generation++
		now.plan = now.planned()
	})
}

// ask sets the annotation of a purge or a refresh.
func (w *world) ask(c *cache, what plan.OperationKind, value string) {
	w.tell(c.name, "a %s is asked for (%q)", what, value)
	w.api.patch(c, func(o object) {
		if what == plan.OperationPurge {
			o.(*cache).purge = &value
		} else {
			o.(*cache).refresh = &value
		}
	})
}

// cacheNow returns an ImageCache as it is now, nil when there is none.
func (w *world) cacheNow(key string) *cache {
	c, _ := w.api.objects[caches][key].(*cache)
	return c
}

// deleteCache deletes an ImageCache: at once, or when nothing holds it any more.
func (w *world) deleteCache(c *cache) {
	w.tell(c.name, "is deleted")
	if !c.finalizer && !c.foreign {
		_ = w.api.remove(caches, c.key(), c.uid)
		return
	}
	w.api.patch(c, func(o object) {
		now := o.(*cache)
		now.deleting, now.deletedAt = true, w.time().Truncate(time.Second)
		now.generation++
		now.plan = now.planned()
	})
}

// hold lets somebody else's finalizer hold an ImageCache for a time.
func (w *world) hold(c *cache, lasts time.Duration) {
	w.api.patch(c, func(o object) { o.(*cache).foreign = true })
	w.after(lasts, func() { w.api.patch(c, func(o object) { o.(*cache).foreign = false }) })
}

// deleteRecord is a user who deletes a NodeCache.
func (w *world) deleteRecord(name string) {
	if r, ok := w.api.objects[records]["/"+name].(*record); ok {
		w.tell(name, "its NodeCache is deleted by a user")
		_ = w.api.remove(records, r.key(), r.uid)
	}
}

// deleteJob is a user who deletes a Job, in the background or so that it stays
// until its pods are gone.
func (w *world) deleteJob(j *job, foreground bool) {
	w.promises.meddled[j.nodeUID] = true
	w.tell(j.node, "Job %d is deleted by a user", j.sequence)
	if !foreground {
		_ = w.api.remove(jobs, j.key(), j.uid)
		return
	}
	w.control.foreground(j)
}

// crash kills a replica between any two of its requests; another one follows.
func (w *world) crash(after time.Duration) {
	for _, p := range w.processes {
		if !p.dead {
			p.dead = true
			w.tell(p.name, "crashes")
		}
	}
	w.after(after, func() {
		if w.leaders() == 0 {
			w.start()
		}
	})
}

// depose starts a new leader while the old one, which hears nothing any more,
// acts on for as long as a request may take.
func (w *world) depose() {
	for _, p := range w.processes {
		if p.dead {
			continue
		}
		w.tell(p.name, "is deposed and does not know")
		for _, i := range p.informers {
			i.frozen = true
		}
		p.lands = min(p.lands, w.now+createTimeout)
		w.after(createTimeout, func() { p.dead = true })
	}
	w.start()
}

// freeze stops one informer of the leader for a while.
func (w *world) freeze(k kind, lasts time.Duration) {
	for _, p := range w.processes {
		i := p.informers[k]
		if p.dead || i.frozen {
			continue
		}
		w.tell(p.name, "hears nothing of %ss", kindNames[k])
		i.frozen = true
		w.after(lasts, func() {
			if w.now < p.lands-createTimeout {
				i.frozen = false
				i.wake()
			}
		})
	}
}
