package nodecache

import (
	"slices"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/internal/jobs"
)

// Pacer holds the cap on unfinished Jobs in the cluster, and lets a node have
// one at a time, or two while the first is left to a slow image. A slot is
// reserved before a Job is created and freed when the Job has finished or is
// gone. It starts closed: a new leader first waits until no create of the last
// one can be under way and counts the Jobs there are.
//
// The planner never wants a second Job on a node, but its informers lag, each
// on its own; a slot is known from the reservation, the create's answer and
// the informer, so that no lag and no lost event changes the count for long.
type Pacer struct {
	most   int
	reader client.Reader
	wake   func(node string)

	mu      sync.Mutex
	open    bool
	slots   map[types.NamespacedName]slot
	waiting []string
}

// slot is one unfinished Job, or one about to be created.
type slot struct {
	node string
	// uid of the Job; empty until the create was answered or the Job was read.
	// What is heard of a Job of the same name and another uid is old news.
	uid types.UID
	// seen is true when the informer, or a read, has shown the Job.
	seen     bool
	reserved time.Time
}

// NewPacer returns a closed Pacer that allows most unfinished Jobs, any number
// when most is 0. reader must bypass the informer cache; wake is called with
// the name of a node whose turn has come.
func NewPacer(most int, reader client.Reader, wake func(node string)) *Pacer {
	return &Pacer{most: most, reader: reader, wake: wake, slots: map[types.NamespacedName]slot{}}
}

// Reserve takes a slot for the Job before it is created. It returns false when
// the node has a Job already, other than beside (empty for none), or when
// there is no slot left; the node is then woken when its turn has come.
func (p *Pacer) Reserve(job, beside types.NamespacedName, node string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, s := range p.slots {
		if s.node == node && (key != beside || key == job) {
			return false
		}
	}
	if !p.open || (p.most > 0 && len(p.slots) >= p.most) {
		if !slices.Contains(p.waiting, node) {
			p.waiting = append(p.waiting, node)
		}
		return false
	}
	p.waiting = slices.DeleteFunc(p.waiting, func(n string) bool { return n == node })
	p.slots[job] = slot{node: node, reserved: now}
	return true
}

// Confirm notes the uid of a Job that was created, or found, in its slot.
func (p *Pacer) Confirm(job types.NamespacedName, uid types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, held := p.slots[job]; held {
		s.uid = uid
		p.slots[job] = s
	}
}

// Release frees the slot of a Job that was definitely not created, or is gone,
// and wakes its node and the one whose turn it is.
func (p *Pacer) Release(job types.NamespacedName) {
	p.mu.Lock()
	s, held := p.slots[job]
	delete(p.slots, job)
	var next []string
	if held {
		next = append(next, s.node)
	}
	if held && len(p.waiting) > 0 {
		next = append(next, p.waiting[0])
		p.waiting = p.waiting[1:]
	}
	p.mu.Unlock()
	for _, node := range next {
		p.wake(node)
	}
}

// releaseUID frees the slot if it is that of the Job with this uid.
func (p *Pacer) releaseUID(job types.NamespacedName, uid types.UID) {
	p.mu.Lock()
	ours := p.slots[job].uid == uid
	p.mu.Unlock()
	if ours {
		p.Release(job)
	}
}

// saw notes what the informer says of a Job.
func (p *Pacer) saw(job *batchv1.Job) {
	key := client.ObjectKeyFromObject(job)
	if jobs.Finished(job) {
		p.releaseUID(key, job.UID)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s, held := p.slots[key]
	switch {
	case !held:
		p.slots[key] = slot{node: jobs.NodeName(job), uid: job.UID, seen: true}
	case s.uid == job.UID:
		s.seen = true
		p.slots[key] = s
	}
}

// Handler feeds the Pacer from the Job informer.
func (p *Pacer) Handler() toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { p.sawAny(obj, false) },
		UpdateFunc: func(_, obj any) { p.sawAny(obj, false) },
		DeleteFunc: func(obj any) { p.sawAny(obj, true) },
	}
}

func (p *Pacer) sawAny(obj any, gone bool) {
	if lost, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
		obj = lost.Obj
	}
	job, ok := obj.(*batchv1.Job)
	switch {
	case !ok:
	case gone:
		p.releaseUID(client.ObjectKeyFromObject(job), job.UID)
	default:
		p.saw(job)
	}
}
