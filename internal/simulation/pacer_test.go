package simulation

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

const (
	createTimeout    = 4 * time.Second
	reservationCheck = 5 * time.Second
	// doubtAfter is longer than the read of the record and the create take.
	doubtAfter = 10 * time.Second
	slotWait   = 15 * time.Second
)

// pacer holds the cap on unfinished Jobs, as that of controllers/nodecache
// does, in virtual time. While a node has a slot it gets no other: its Job may
// be one that the planner was not shown, because the Job informer is behind.
type pacer struct {
	process *process
	open    bool
	slots   map[string]slot
	waiting []string
}

type slot struct {
	node string
	// uid of the Job, once it is known: a Job that a user deleted may be made
	// again under its name while the informer still tells of the first.
	uid  types.UID
	seen bool
	at   time.Duration
	// alone is true for what verifies or removes.
	alone bool
}

func newPacer(p *process) *pacer { return &pacer{process: p, slots: map[string]slot{}} }

// reserve takes a slot for a Job before it is created.
func (p *pacer) reserve(j *job, beside []string) bool {
	if p.busy(j, beside) {
		return false
	}
	surge := p.process.world.settings.surge
	if !p.open || surge > 0 && len(p.slots) >= surge {
		if !slices.Contains(p.waiting, j.node) {
			p.waiting = append(p.waiting, j.node)
		}
		return false
	}
	p.waiting = slices.DeleteFunc(p.waiting, func(n string) bool { return n == j.node })
	p.slots[j.key()] = slot{node: j.node, at: p.process.world.now, alone: j.work != plan.JobPull}
	return true
}

// busy tells whether a Job of the node has a slot that this one may not run
// beside: pulls run beside each other, as many as may, and the rest alone.
func (p *pacer) busy(j *job, beside []string) bool {
	pulls := 0
	for name, s := range p.slots {
		switch {
		case s.node != j.node || slices.Contains(beside, name) && name != j.key() && !s.alone && j.work == plan.JobPull:
		case name == j.key(), s.alone, j.work != plan.JobPull:
			return true
		default:
			pulls++
		}
	}
	return pulls >= max(1, p.process.world.settings.pulls)
}

// release frees a slot; its node and the one that waits longest are next.
func (p *pacer) release(name string) {
	s, held := p.slots[name]
	if !held {
		return
	}
	delete(p.slots, name)
	p.process.enqueue(key{name: s.node})
	if len(p.waiting) > 0 {
		p.process.enqueue(key{name: p.waiting[0]})
		p.waiting = p.waiting[1:]
	}
}

// saw notes what the informer says of a Job.
func (p *pacer) saw(j *job, deleted bool) {
	held := p.slots[j.key()]
	switch {
	case held.uid != "" && held.uid != j.uid:
	case deleted || j.finished:
		p.release(j.key())
	default:
		p.slots[j.key()] = slot{node: j.node, uid: j.uid, seen: true, at: held.at, alone: j.work != plan.JobPull}
	}
}

// made notes the uid of a Job that was created.
func (p *pacer) made(j *job) {
	if s, held := p.slots[j.key()]; held {
		s.uid, s.seen, s.at = j.uid, false, p.process.world.now
		p.slots[j.key()] = s
	}
}

// recount lists all Jobs with a quorum read and opens.
func (p *pacer) recount() {
	if p.process.dead {
		return
	}
	w := p.process.world
	for _, o := range w.api.list(jobs) {
		j := o.(*job)
		if _, known := p.slots[j.key()]; !known && !j.finished {
			p.slots[j.key()] = slot{node: j.node, at: w.now, alone: j.work != plan.JobPull}
		}
	}
	p.open = true
	for _, node := range p.waiting {
		p.process.enqueue(key{name: node})
	}
	p.waiting = nil
	w.after(reservationCheck, p.check)
}

// check frees slots that no informer has confirmed and whose Job is not there.
func (p *pacer) check() {
	if p.process.dead {
		return
	}
	w := p.process.world
	for _, name := range sortedKeys(p.slots) {
		s := p.slots[name]
		j, there := w.api.objects[jobs][name].(*job)
		if !s.seen && w.now-s.at > doubtAfter && (!there || j.finished) {
			p.release(name)
		}
	}
	w.after(reservationCheck, p.check)
}
