package nodecache

import (
	"context"
	"slices"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/internal/jobs"
)

const (
	// createTimeout bounds a create request, so that one of a leader that has
	// just lost its lease cannot land after the next leader has counted.
	createTimeout = 4 * time.Second
	// reservationCheck is how often slots are compared with the API server.
	reservationCheck = 30 * time.Second
)

// Pacer holds the cap on unfinished Jobs in the cluster. A slot is reserved
// before a Job is created and freed when the Job has finished or is gone. It
// starts closed: a new leader first waits until no create of the last one can
// be under way and counts the Jobs there are.
//
// A slot is known from two sides, the reservation and the informer, so that
// neither a lagging informer nor a lost event changes the count for long.
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
	seen     bool
	reserved time.Time
}

// NewPacer returns a closed Pacer that allows most unfinished Jobs, any number
// when most is 0. reader must bypass the informer cache; wake is called with
// the name of a node whose turn has come.
func NewPacer(most int, reader client.Reader, wake func(node string)) *Pacer {
	return &Pacer{most: most, reader: reader, wake: wake, slots: map[types.NamespacedName]slot{}}
}

// Reserve takes a slot for the Job before it is created. When there is none it
// returns false and remembers the node, first come, first served.
func (p *Pacer) Reserve(job types.NamespacedName, node string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, taken := p.slots[job]; taken {
		return true
	}
	if !p.open || (p.most > 0 && len(p.slots) >= p.most) {
		if !slices.Contains(p.waiting, node) {
			p.waiting = append(p.waiting, node)
		}
		return false
	}
	p.waiting = slices.DeleteFunc(p.waiting, func(n string) bool { return n == node })
	p.slots[job] = slot{reserved: now}
	return true
}

// Release frees the slot of a Job that was definitely not created, or is gone.
func (p *Pacer) Release(job types.NamespacedName) {
	p.mu.Lock()
	_, held := p.slots[job]
	delete(p.slots, job)
	next := p.next(held)
	p.mu.Unlock()
	for _, node := range next {
		p.wake(node)
	}
}

// next returns whose turn it is after a slot was freed; it holds the lock.
func (p *Pacer) next(freed bool) []string {
	if !freed || len(p.waiting) == 0 {
		return nil
	}
	node := p.waiting[0]
	p.waiting = p.waiting[1:]
	return []string{node}
}

// saw notes what the informer says of a Job.
func (p *Pacer) saw(job *batchv1.Job) {
	key := client.ObjectKeyFromObject(job)
	if jobs.Finished(job) {
		p.Release(key)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slots[key] = slot{seen: true, reserved: p.slots[key].reserved}
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
		p.Release(client.ObjectKeyFromObject(job))
	default:
		p.saw(job)
	}
}

// Start opens the Pacer and keeps it honest until ctx ends. It runs on the
// leader only.
func (p *Pacer) Start(ctx context.Context) error {
	if !sleep(ctx, createTimeout) {
		return nil
	}
	for !p.recount(ctx) {
		if !sleep(ctx, time.Second) {
			return nil
		}
	}
	for sleep(ctx, reservationCheck) {
		p.check(ctx, clock.Now())
	}
	return nil
}

// NeedLeaderElection makes the manager start it on the leader only.
func (p *Pacer) NeedLeaderElection() bool { return true }

// recount lists all Jobs with a quorum read and opens.
func (p *Pacer) recount(ctx context.Context) bool {
	var list batchv1.JobList
	if err := p.reader.List(ctx, &list, client.MatchingLabelsSelector{Selector: jobs.LabelSelector()}); err != nil {
		return false
	}
	p.mu.Lock()
	for i := range list.Items {
		key := client.ObjectKeyFromObject(&list.Items[i])
		if _, known := p.slots[key]; !known && !jobs.Finished(&list.Items[i]) {
			p.slots[key] = slot{reserved: clock.Now()} // until the informer confirms it
		}
	}
	p.open = true
	waiting := p.waiting
	p.waiting = nil
	p.mu.Unlock()
	for _, node := range waiting {
		p.wake(node)
	}
	return true
}

// check frees slots whose Job does not exist or has finished: a Job that came
// and went between two lists of the informer, a create whose answer was lost.
func (p *Pacer) check(ctx context.Context, now time.Time) {
	for _, key := range p.doubtful(now) {
		var job batchv1.Job
		err := p.reader.Get(ctx, key, &job)
		if apierrors.IsNotFound(err) || (err == nil && jobs.Finished(&job)) {
			p.Release(key)
		}
	}
}

// doubtful returns the slots that no informer has confirmed for a while.
func (p *Pacer) doubtful(now time.Time) []types.NamespacedName {
	p.mu.Lock()
	defer p.mu.Unlock()
	var keys []types.NamespacedName
	for key, s := range p.slots {
		if !s.seen && now.Sub(s.reserved) > reservationCheck {
			keys = append(keys, key)
		}
	}
	return keys
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-clock.After(d):
		return true
	}
}
