package nodecache

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/jobs"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
	"github.com/kubefledged/kubefledged-operator/internal/reference"
)

// Pacer holds the caps on unfinished Jobs: in the cluster, of one node, of one
// registry. A slot is reserved before a Job is created and freed when the Job
// has finished or is gone. It starts closed: a new leader first waits until no
// create of the last one can be under way and counts the Jobs there are.
//
// The planner never wants a second Job on a node, but its informers lag, each
// on its own; a slot is known from the reservation, the create's answer and
// the informer, so that no lag and no lost event changes the count for long.
type Pacer struct {
	// most is the cap on unfinished Jobs in the cluster, 0 for none.
	most int
	// perNode is how many pull Jobs a node may have beside those of Ask.Beside.
	perNode int
	// perRegistry is the cap on unfinished Jobs of one registry, 0 for none.
	perRegistry int
	registries  *Registries
	reader      client.Reader
	wake        func(node string)

	mu    sync.Mutex
	open  bool
	slots map[types.NamespacedName]slot
	queue []turn
	// granted are turns that have come: their slots are kept for a moment.
	granted []turn
}

// slot is one unfinished Job, or one about to be created.
type slot struct {
	node string
	// alone is true for Jobs that nothing may run beside.
	alone bool
	// hosts are the registries the Job pulls from.
	hosts []string
	// uid of the Job; empty until the create was answered or the Job was read.
	// What is heard of a Job of the same name and another uid is old news.
	uid types.UID
	// seen is true when the informer, or a read, has shown the Job.
	seen bool
	// reserved is when the slot was taken, or the Job of another leader found;
	// began when the Job was, as far as is known.
	reserved, began time.Time
}

// Ask is a Job that is to be created.
type Ask struct {
	// Job is its name.
	Job types.NamespacedName
	// Beside are the Jobs that it may run beside: one left to a slow image, and
	// those that only end.
	Beside []types.NamespacedName
	// Node is the name of its node.
	Node string
	// Kind of the Job; empty means a pull.
	Kind plan.JobKind
	// Images are its normalised references.
	Images []string
}

// NewPacer returns a closed Pacer that allows most unfinished Jobs, any number
// when most is 0, and one pull Job per node. reader must bypass the informer
// cache; wake is called with the name of a node whose turn has come.
func NewPacer(most int, reader client.Reader, wake func(node string)) *Pacer {
	return &Pacer{
		most: most, perNode: 1, registries: NewRegistries(), reader: reader, wake: wake,
		slots: map[types.NamespacedName]slot{},
	}
}

// Limit sets the caps of one node and of one registry (0 for none), and who
// knows which registries are in trouble. It must be called before anything else.
func (p *Pacer) Limit(perNode, perRegistry int, registries *Registries) {
	p.perNode, p.perRegistry, p.registries = max(1, perNode), perRegistry, registries
}

// Take takes a slot for a Job before it is created. It returns false when the
// node has a Job that this one may not run beside, or when there is no slot
// left; the node is then woken when its turn has come.
func (p *Pacer) Take(a Ask, now time.Time) bool {
	p.mu.Lock()
	if p.occupied(&a) {
		p.mu.Unlock()
		return false
	}
	got := p.takeTurn(turnOf(&a), now)
	if got {
		p.slots[a.Job] = slot{
			node: a.Node, alone: alone(a.Kind), hosts: hostsOf(a.Kind, a.Images), reserved: now, began: now,
		}
	}
	next := p.dispatch(now)
	p.mu.Unlock()
	p.wakeAll(next)
	return got
}

// occupied tells whether the node has a Job that this one may not run beside.
func (p *Pacer) occupied(a *Ask) bool {
	pulls := 0
	for key, s := range p.slots {
		switch {
		case key == a.Job:
			return true
		case s.node != a.Node:
		case s.alone || alone(a.Kind):
			return true
		case !slices.Contains(a.Beside, key):
			pulls++
		}
	}
	return pulls >= p.perNode
}

// alone tells the kinds of Jobs that nothing may run beside.
func alone(kind plan.JobKind) bool { return kind == plan.JobVerify || kind == plan.JobRemove }

// hostsOf returns the registries that a Job asks, each once.
func hostsOf(kind plan.JobKind, images []string) []string {
	if alone(kind) {
		return nil // the kubelet looks at its runtime, or our helper does
	}
	var hosts []string
	for _, image := range images {
		if host := reference.Registry(image); !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// slotOf returns the slot of a Job that was found.
func slotOf(job *batchv1.Job) slot {
	var images []string
	// A Job whose list is damaged counts, but for no registry.
	_ = json.Unmarshal([]byte(job.Annotations[v1alpha2.AnnotationImages]), &images)
	kind := jobs.Kind(job)
	return slot{
		node: jobs.NodeName(job), alone: alone(kind), hosts: hostsOf(kind, images),
		uid: job.UID, began: job.CreationTimestamp.Time,
	}
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
// and wakes its node and those whose turn has come.
func (p *Pacer) Release(job types.NamespacedName) {
	p.mu.Lock()
	s, held := p.slots[job]
	var next []string
	if held {
		delete(p.slots, job)
		next = append([]string{s.node}, p.dispatch(clock.Now())...)
	}
	p.mu.Unlock()
	p.wakeAll(next)
}

func (p *Pacer) wakeAll(nodes []string) {
	for _, node := range nodes {
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
		s = slotOf(job)
		s.seen = true
		p.slots[key] = s
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
