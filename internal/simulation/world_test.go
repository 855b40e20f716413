package simulation

import (
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// world is one fake cluster with everything that lives in it.
type world struct {
	clock
	rng      *rand.Rand
	api      *store
	registry *registry
	control  *jobController
	promises *promises
	// kubelets by node uid: a node replaced under its name has another one.
	kubelets  map[string]*kubelet
	processes []*process
	settings  settings
	weather   weather
	// quota and forbidden are namespaces where the Job controller can make no
	// pods, and where the API server refuses Jobs.
	quota, forbidden map[string]bool
	// broken is the first promise that was broken, empty while all hold.
	broken string
	boots  int
	// story is where the world tells what happens; nil when nobody listens.
	story io.Writer
}

// settings are those of the controller.
type settings struct {
	surge        int
	imagesPerJob int
	// verify, grace, retain, pulls and noRemoval are the controller's options
	// of similar names.
	verify, grace     time.Duration
	retain, noRemoval bool
	pulls             int
	// debounce is the shortest time that changes are gathered for a status.
	debounce time.Duration
	// mostImages is the kubelets' nodeStatusMaxImages; -1 for no limit.
	mostImages int
}

// weather is how unkind the world is: chances of a fault, per request or message.
type weather struct {
	// steady makes every lag the same, for stories in a fixed order.
	steady bool
	// failed requests were not done; lost ones were done, and the answer lost.
	failed, lost, conflict float64
	// late is the chance that a message takes seconds instead of milliseconds.
	late float64
	// transient is the chance that a pull fails and would succeed later.
	transient float64
	// stuck and refused are the chances of a pod.
	stuck, refused float64
}

func newWorld(seed uint64, story io.Writer) *world {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 42)), kubelets: map[string]*kubelet{}, story: story,
		quota: map[string]bool{}, forbidden: map[string]bool{},
	}
	w.api = newStore(&w.clock)
	w.registry = newRegistry()
	w.control = &jobController{world: w}
	w.promises = newPromises(w)
	w.api.watch = w.changed
	w.settings.mostImages = 50
	return w
}

// changed tells everybody of a change, each after a lag of its own.
func (w *world) changed(before object, c change) {
	w.promises.check(before, c)
	k := c.object.head().kind
	for _, p := range w.processes {
		p.informers[k].wake()
	}
	w.control.react(before, c)
	if p, ok := c.object.(*pod); ok {
		w.after(w.lag(), func() { w.syncKubelet(p.job.node) })
	}
}

// chance tells whether something of this probability happens.
func (w *world) chance(p float64) bool { return p > 0 && w.rng.Float64() < p }

// lag is how long a message takes.
func (w *world) lag() time.Duration {
	switch {
	case w.weather.steady:
		return 10 * time.Millisecond
	case w.chance(w.weather.late):
		return time.Duration(1+w.rng.IntN(12000)) * time.Millisecond
	default:
		return time.Duration(1+w.rng.IntN(60)) * time.Millisecond
	}
}

// latency is how long a request takes; the client gives up after 4 s.
func (w *world) latency() time.Duration {
	switch {
	case w.weather.steady:
		return 5 * time.Millisecond
	case w.chance(w.weather.late):
		return time.Duration(1+w.rng.IntN(3900)) * time.Millisecond
	default:
		return time.Duration(1+w.rng.IntN(15)) * time.Millisecond
	}
}

// spread is a duration between half and one and a half of d.
func (w *world) spread(d time.Duration) time.Duration {
	if w.weather.steady {
		return d
	}
	return d/2 + time.Duration(w.rng.Int64N(int64(d)))
}

// tell adds a line to the story.
func (w *world) tell(who, format string, args ...any) {
	if w.story != nil {
		fmt.Fprintf(w.story, "%9.2fs  %-12s %s\n", w.now.Seconds(), who, fmt.Sprintf(format, args...))
	}
}

// breakPromise notes the first broken promise; the run ends with it.
func (w *world) breakPromise(format string, args ...any) {
	if w.broken == "" {
		w.broken = fmt.Sprintf("at %.2fs: ", w.now.Seconds()) + fmt.Sprintf(format, args...)
		w.tellRecords()
		w.tell("PROMISE", "%s", w.broken)
	}
}

// tellRecords ends a story that went wrong.
func (w *world) tellRecords() {
	if w.story == nil {
		return
	}
	for _, o := range w.api.list(records) {
		r := o.(*record)
		w.tell(r.name, "record of %s: claims %+v wait %v", r.status.NodeUID, r.status.Claims, r.status.Wait)
		for i := range r.status.Images {
			w.tell(r.name, "record: %+v", r.status.Images[i])
		}
	}
}

// maxSteps is far above what any world needs: more means a livelock.
const maxSteps = 400_000

// run lets time pass until the given instant, or until a promise is broken.
func (w *world) run(until time.Duration) {
	for w.broken == "" && len(w.queue.list) > 0 && w.queue.list[0].at <= until {
		w.step()
		if w.steps > maxSteps {
			w.breakPromise("livelock: %d steps", w.steps)
		}
	}
	w.now = max(w.now, until)
}

// node returns the Node of this name as it is now, nil when there is none.
func (w *world) node(name string) *node {
	n, _ := w.api.objects[nodes]["/"+name].(*node)
	return n
}

func (w *world) pods(node string) []*pod {
	var found []*pod
	for _, o := range w.api.list(pods) {
		if p := o.(*pod); p.job.node == node {
			found = append(found, p)
		}
	}
	return found
}
