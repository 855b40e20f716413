package simulation

import (
	"fmt"
	"slices"
	"time"
)

// informer is what one process knows of one kind: every change in order, late.
type informer struct {
	process *process
	kind    kind
	at      int
	view    map[string]object
	sorted  []object
	busy    bool
	// frozen informers hear nothing until they are thawed.
	frozen bool
}

// wake plans the next delivery.
func (i *informer) wake() {
	if i.busy || i.frozen || i.process.dead {
		return
	}
	i.busy = true
	i.process.world.after(i.process.world.lag(), i.deliver)
}

// deliver takes in some of the changes that are due, mostly all.
func (i *informer) deliver() {
	i.busy = false
	if i.process.dead || i.frozen {
		return
	}
	w := i.process.world
	end := len(w.api.log[i.kind])
	if behind := end - i.at; behind > 1 && w.chance(0.2) {
		end = i.at + 1 + w.rng.IntN(behind-1)
	}
	for ; i.at < end; i.at++ {
		i.take(w.api.log[i.kind][i.at])
	}
	if i.at < len(w.api.log[i.kind]) {
		i.wake()
	}
}

func (i *informer) take(c change) {
	key := c.object.key()
	before := i.view[key]
	i.sorted = nil
	if c.deleted {
		delete(i.view, key)
	} else {
		i.view[key] = c.object
	}
	i.process.handle(before, c)
}

// list returns what is known in a stable order.
func (i *informer) list() []object {
	if i.sorted == nil {
		i.sorted = sortedValues(i.view)
	}
	return i.sorted
}

// key of a work queue: a node of the node loop, or an ImageCache of the status loop.
type key struct {
	status bool
	name   string
}

// process is one replica of the controller.
type process struct {
	world     *world
	name      string
	informers [kinds]*informer
	pacer     *pacer
	// waiting, running and again are the work queue: each key runs once at a time.
	waiting, running, again map[key]bool
	alarms                  map[key]time.Duration
	dead                    bool
	// lands is the instant after which no request of this process arrives.
	lands time.Duration
	// writes counts the requests that arrived.
	writes int
}

// start begins a replica: its informers list, then watch.
func (w *world) start() *process {
	p := &process{
		world: w, name: fmt.Sprintf("controller-%d", len(w.processes)+1), lands: 1 << 62,
		waiting: map[key]bool{}, running: map[key]bool{}, again: map[key]bool{}, alarms: map[key]time.Duration{},
	}
	p.pacer = newPacer(p)
	for k := range p.informers {
		p.informers[k] = &informer{process: p, kind: kind(k), view: map[string]object{}}
	}
	w.processes = append(w.processes, p)
	w.tell(p.name, "starts")
	for _, i := range p.informers {
		for _, o := range w.api.list(i.kind) {
			i.view[o.key()] = o
		}
		i.at = len(w.api.log[i.kind])
	}
	for _, i := range p.informers {
		for _, o := range i.list() {
			p.handle(nil, change{object: o})
		}
	}
	w.after(createTimeout, p.pacer.recount)
	return p
}

// handle turns a change into keys, as the watches of the controllers do.
func (p *process) handle(before object, c change) {
	switch o := c.object.(type) {
	case *node:
		p.enqueue(key{name: o.name})
		old, _ := before.(*node)
		if old == nil || c.deleted || !old.sameButImages(o) {
			p.enqueueCaches(nil, old, o)
		}
	case *record:
		p.enqueue(key{name: o.name})
		old, _ := before.(*record)
		p.enqueueCaches(old, p.node(o.name))
	case *job:
		p.pacer.saw(o, c.deleted)
		p.enqueue(key{name: o.node})
		if before == nil || c.deleted {
			p.enqueueCaches(nil, p.node(o.node))
		}
	case *pod:
		p.enqueue(key{name: o.job.node})
	case *cache:
		old, _ := before.(*cache)
		p.handleCache(old, o, c.deleted)
	}
}

// handleCache wakes the status loop, and the nodes that an ImageCache selects or
// selected before, when what is wanted there may have changed.
func (p *process) handleCache(old, o *cache, deleted bool) {
	k := key{status: true, name: o.key()}
	if old != nil && !deleted && old.uid == o.uid && !decides(old, o) {
		// Our own write, or a request. The loop may have found nothing to write
		// since because it still saw what was before, so it must look again.
		p.alarm(k, p.debounce())
		return
	}
	p.enqueue(k)
	for _, n := range p.informers[nodes].list() {
		if o.selects(n.(*node)) || old != nil && old.selects(n.(*node)) {
			p.enqueue(key{name: n.head().name})
		}
	}
}

// decides tells whether an update of an ImageCache changes what is wanted, as
// observe.CacheChanged does.
func decides(old, now *cache) bool {
	return old.generation != now.generation || old.deleting != now.deleting ||
		old.operation.ID != now.operation.ID || old.spec.purges != now.spec.purges
}

// enqueueCaches wakes the loop of the ImageCaches that a node concerns, in any
// of these versions, or its record before; gathered over a moment.
func (p *process) enqueueCaches(before *record, versions ...*node) {
	for _, o := range p.informers[caches].list() {
		c := o.(*cache)
		if before.claim(c.uid) != nil || slices.ContainsFunc(versions, func(n *node) bool {
			return n != nil && (c.selects(n) || p.record(n.name).claim(c.uid) != nil)
		}) {
			p.alarm(key{status: true, name: c.key()}, p.debounce())
		}
	}
}

// debounce is how long changes are gathered, as in controllers/imagecache.
func (p *process) debounce() time.Duration {
	nodes := len(p.informers[nodes].view)
	return max(min(max(time.Duration(nodes)*10*time.Millisecond, 20*time.Millisecond), 5*time.Second), p.world.settings.debounce)
}

func (p *process) enqueue(k key) {
	switch {
	case p.dead || p.waiting[k]:
	case p.running[k]:
		p.again[k] = true
	default:
		p.waiting[k] = true
		p.world.after(p.world.latency(), func() { p.reconcile(k) })
	}
}

// alarm enqueues a key later; of two alarms the earlier counts.
func (p *process) alarm(k key, d time.Duration) {
	at := p.world.now + d
	if set, ok := p.alarms[k]; ok && set <= at {
		return
	}
	p.alarms[k] = at
	p.world.after(d, func() {
		if p.alarms[k] == at && !p.dead {
			delete(p.alarms, k)
			p.enqueue(k)
		}
	})
}

func (p *process) reconcile(k key) {
	if p.dead {
		return
	}
	delete(p.waiting, k)
	p.running[k] = true
	if k.status {
		p.reconcileCache(k)
	} else {
		p.reconcileNode(k)
	}
}

// done ends a reconcile; what happened meanwhile enqueues its key again.
func (p *process) done(k key, again time.Duration) {
	delete(p.running, k)
	if p.again[k] {
		delete(p.again, k)
		p.enqueue(k)
	}
	if again > 0 {
		p.alarm(k, again)
	}
}

func (w *world) tellStatus(c *cache) {
	s := &c.status
	reasons := sortedKeys(s.Nodes.WaitingReasons)
	text := fmt.Sprintf("status %s %s", s.Status, s.Progress)
	for _, n := range []struct {
		count int32
		what  string
	}{{s.Pulling, "pulling"}, {s.Pending, "pending"}, {s.Failed, "failed"}, {s.Waiting, "waiting"}} {
		if n.count > 0 {
			text += fmt.Sprintf(", %d %s", n.count, n.what)
		}
	}
	if len(reasons) > 0 {
		text += fmt.Sprint(" ", slices.Compact(reasons))
	}
	w.tell(c.name, "%s", text)
}

// backoff is how long a loop waits after an error.
func backoff(err error) time.Duration {
	if err != nil {
		return time.Second
	}
	return 0
}
