package nodecache

import (
	"slices"
	"time"
)

// grantAge is how long a slot is kept for a node whose turn has come: a busy
// loop takes a moment to look at it, and what was due may be due no more.
const grantAge = 5 * time.Second

// When a node in the queue looks again by itself. It is woken when its turn
// comes, so this is for wakes that were lost; all nodes together look at most
// looksPerSecond times a second, or thousands of waiting nodes would keep the
// loop from those whose turn it is: a look costs about half a millisecond of a core.
const (
	soonestLook    = 15 * time.Second
	latestLook     = 10 * time.Minute
	looksPerSecond = 50
)

// turn is a node's place in the queue. Nodes take turns, however much each of
// them has to do: an ImageCache of five hundred images on twenty nodes lets the
// one image of another node go first when that has waited longer.
type turn struct {
	node string
	// hosts are the registries that the Job would pull from.
	hosts []string
	// hint is true when the node has not asked for a Job but for a registry:
	// what else it has to do goes on meanwhile.
	hint bool
	// beside is the number of Jobs of the node that may go on beside the Job.
	beside int
	// granted is when the turn came.
	granted time.Time
}

func turnOf(a *Ask) turn {
	return turn{node: a.Node, hosts: hostsOf(a.Kind, a.Images), beside: len(a.Beside)}
}

// same tells whether two turns are one place in the queue: a node has one for
// its next Job and one for each registry that it waits for.
func (t turn) same(other turn) bool {
	return t.node == other.node && t.hint == other.hint && (!t.hint || slices.Equal(t.hosts, other.hosts))
}

// RegistryOpen returns when a node may plan a Job for images of a registry; a
// time that has passed, or none, for now. A registry whose slots are taken is
// closed too, so that the node plans what else it has to do, and it has a place
// in the queue from then on. slow tells that a slow Job of the node goes on.
func (p *Pacer) RegistryOpen(host, node string, slow bool, now time.Time) time.Time {
	if until := p.registries.ClosedUntil(host, node); until.After(now) {
		return until
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	t := turn{node: node, hosts: []string{host}, hint: true}
	if slow {
		t.beside = 1
	}
	ours := func(g turn) bool { return g.node == node && slices.Contains(g.hosts, host) }
	if !p.limited(host) || slices.ContainsFunc(p.granted, ours) {
		return time.Time{}
	}
	if u := p.use(); !u.fullHosts(t.hosts) && !p.promised(u, t, now) {
		return time.Time{}
	}
	p.enqueue(t)
	return now.Add(p.lookAgain())
}

// LookAgain returns when a node that got no slot looks again by itself.
func (p *Pacer) LookAgain() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lookAgain()
}

func (p *Pacer) lookAgain() time.Duration {
	return min(max(time.Duration(len(p.queue))*time.Second/looksPerSecond, soonestLook), latestLook)
}

// takeTurn tells whether the Job of this turn may be created now: the turn has
// come, or there is room and nobody who waits longer could use it. Otherwise
// the node has its place in the queue.
func (p *Pacer) takeTurn(t turn, now time.Time) bool {
	var ours []turn
	p.granted = slices.DeleteFunc(p.granted, func(g turn) bool {
		if g.node == t.node {
			ours = append(ours, g)
		}
		return g.node == t.node
	})
	u := p.use()
	ok := p.open && !p.closed(t, now) && !u.full() && !u.fullHosts(t.hosts) && (len(ours) > 0 || !p.promised(u, t, now))
	if !ok && len(ours) == 0 {
		p.enqueue(t)
		return false
	}
	if !ok {
		ours = append(ours, t)
	}
	p.requeue(t, ours, ok)
	return ok
}

// requeue gives a node the first places for the turns that had come and are not
// taken, and drops those that are.
func (p *Pacer) requeue(t turn, ours []turn, taken bool) {
	p.queue = slices.DeleteFunc(p.queue, func(w turn) bool {
		return w.same(t) || taken && w.node == t.node && subset(w.hosts, t.hosts)
	})
	ours = slices.DeleteFunc(ours, func(g turn) bool {
		return taken && (g.same(t) || subset(g.hosts, t.hosts))
	})
	for _, g := range slices.Backward(ours) {
		if !slices.ContainsFunc(p.queue, g.same) {
			p.queue = slices.Insert(p.queue, 0, g)
		}
	}
}

// enqueue gives a turn its place, or keeps it where it was.
func (p *Pacer) enqueue(t turn) {
	if i := slices.IndexFunc(p.queue, t.same); i >= 0 {
		p.queue[i] = t
		return
	}
	p.queue = append(p.queue, t)
}

// dispatch grants free slots to those who have waited longest and can use them,
// and returns the nodes to wake. Who waits for a registry whose slots are taken
// is passed, but by nobody who needs the same registry.
func (p *Pacer) dispatch(now time.Time) []string {
	p.granted = slices.DeleteFunc(p.granted, func(g turn) bool { return now.Sub(g.granted) >= grantAge })
	if !p.open || len(p.queue) == 0 {
		return nil
	}
	u, promised := p.use(), map[string]bool{}
	var next []string
	p.queue = slices.DeleteFunc(p.queue, func(t turn) bool {
		switch {
		case u.full(), u.busy(t), p.closed(t, now):
			return false
		case u.fullHosts(t.hosts) || slices.ContainsFunc(t.hosts, func(h string) bool { return promised[h] }):
			for _, host := range t.hosts {
				promised[host] = true
			}
			return false
		}
		t.granted = now
		u.add(t.hosts, now)
		u.nodes[t.node]++
		p.granted = append(p.granted, t)
		next = append(next, t.node)
		return true
	})
	return next
}

// promised tells whether a turn would take what somebody ahead in the queue
// waits for. All that could be served has been served, so only registries are.
func (p *Pacer) promised(u *usage, t turn, now time.Time) bool {
	for _, w := range p.queue {
		if w.same(t) {
			return false
		}
		if w.node != t.node && !u.busy(w) && !p.closed(w, now) && slices.ContainsFunc(w.hosts, func(h string) bool {
			return slices.Contains(t.hosts, h) && p.limited(h)
		}) {
			return true
		}
	}
	return false
}

// closed tells whether a registry of the turn must not be asked now.
func (p *Pacer) closed(t turn, now time.Time) bool {
	return slices.ContainsFunc(t.hosts, func(host string) bool {
		return p.registries.ClosedUntil(host, t.node).After(now)
	})
}

// limited tells whether a registry has a cap.
func (p *Pacer) limited(host string) bool {
	_, trouble := p.registries.Trouble(host)
	return trouble || p.perRegistry > 0
}

// usage counts the slots that are taken or kept.
type usage struct {
	pacer *Pacer
	jobs  int
	// nodes counts the Jobs and turns of each node; alone has those with a Job that
	// nothing may run beside.
	nodes map[string]int
	alone map[string]bool
	// hosts counts the Jobs of each registry; probes those that were created
	// since its last trouble.
	hosts, probes map[string]int
}

func (p *Pacer) use() *usage {
	u := &usage{
		pacer: p, nodes: map[string]int{}, alone: map[string]bool{},
		hosts: map[string]int{}, probes: map[string]int{},
	}
	for _, s := range p.slots {
		u.add(s.hosts, s.began)
		u.nodes[s.node]++
		u.alone[s.node] = u.alone[s.node] || s.alone
	}
	for _, g := range p.granted {
		u.add(g.hosts, g.granted)
		u.nodes[g.node]++
	}
	return u
}

func (u *usage) add(hosts []string, began time.Time) {
	u.jobs++
	for _, host := range hosts {
		u.hosts[host]++
		if since, trouble := u.pacer.registries.Trouble(host); trouble && began.After(since) {
			u.probes[host]++
		}
	}
}

// full tells whether there is no slot left in the cluster.
func (u *usage) full() bool { return u.pacer.most > 0 && u.jobs >= u.pacer.most }

// fullHosts tells whether a registry has no slot left. One in trouble has one,
// which Jobs from before the trouble do not take: they may hang until their
// deadline.
func (u *usage) fullHosts(hosts []string) bool {
	return slices.ContainsFunc(hosts, func(host string) bool {
		_, trouble := u.pacer.registries.Trouble(host)
		most := u.pacer.perRegistry
		return trouble && u.probes[host] > 0 || most > 0 && u.hosts[host] >= most
	})
}

// busy tells whether the node of a turn could not create its Job now.
func (u *usage) busy(t turn) bool {
	return u.alone[t.node] || u.nodes[t.node] >= u.pacer.perNode+t.beside
}

func subset(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}
