package simulation

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// kubelet pulls on one node, the images of a pod in order and one image at a
// time, or one of each pod. Its image store lives as long as the node's uid.
type kubelet struct {
	world *world
	name  string
	uid   types.UID
	// held are the images present, fetched are their blobs' arrivals.
	held map[string]map[string]bool
	at   map[string]time.Time
	work []*podWork
	// pulls counts the pulls.
	pulls int
	// up is false while the node is not ready, restarting after a restart.
	up, refusing, stickNext bool
	// parallel lets the kubelet pull for several pods at once.
	parallel bool
	// tokens are the pulls the kubelet may start at once (registryBurst).
	tokens   float64
	tokensAt time.Duration
}

// podWork is one pod on a kubelet.
type podWork struct {
	pod     *pod
	results []outcome.Image
	next    int
	rounds  int
	// pull is the number of the pull under way; 0 for none. An abort changes it.
	pull int
	// pulling is when the kubelet said that it begins the pull of the next
	// image; it may then wait for the pull of another pod.
	pulling time.Time
	waiting bool
	// stuck means that the pod never starts; its events may tell, or not.
	stuck, tells bool
	stopping     bool
}

func newKubelet(w *world, n *node) *kubelet {
	return &kubelet{
		world: w, name: n.name, uid: n.uid, up: true, tokens: 10, parallel: !w.weather.steady && w.chance(0.3),
		held: map[string]map[string]bool{}, at: map[string]time.Time{},
	}
}

// syncKubelet lets the kubelet that now has this name look at its pods.
func (w *world) syncKubelet(name string) {
	n := w.node(name)
	if n == nil {
		return
	}
	k := w.kubelets[string(n.uid)]
	if k == nil || !k.up {
		return
	}
	for _, p := range w.pods(name) {
		k.sync(p)
	}
	k.work = slices.DeleteFunc(k.work, func(pw *podWork) bool {
		gone := w.api.objects[pods][pw.pod.key()]
		return gone == nil || gone.head().uid != pw.pod.uid
	})
	k.next()
}

func (k *kubelet) sync(p *pod) {
	i := slices.IndexFunc(k.work, func(pw *podWork) bool { return pw.pod.uid == p.uid })
	switch {
	case p.deleting && i >= 0:
		k.stop(k.work[i])
	case p.deleting, p.phase == ended && i < 0:
		if p.deleting {
			_ = k.world.api.remove(pods, p.key(), p.uid)
		}
	case i < 0:
		k.admit(p)
	}
}

// admit takes a pod or refuses it.
func (k *kubelet) admit(p *pod) {
	if k.refusing || k.world.chance(k.world.weather.refused) {
		k.world.tell(k.name, "kubelet refuses %s: OutOfpods", p.name)
		k.world.api.patch(p, func(o object) {
			o.(*pod).phase = ended
			o.(*pod).refused = &outcome.Refusal{Reason: "OutOfpods", Message: "too many pods"}
		})
		return
	}
	pw := &podWork{pod: p, results: make([]outcome.Image, len(p.job.images)), stuck: k.stickNext || k.world.chance(k.world.weather.stuck)}
	pw.tells = k.world.chance(0.5)
	k.stickNext = false
	k.work = append(k.work, pw)
	k.world.api.patch(p, func(o object) {
		o.(*pod).phase = running
		o.(*pod).started = k.world.time().Truncate(time.Second)
	})
}

// stop ends a pod that is being deleted. A kubelet that has begun to pull its
// images goes on to the last of them: it does not cancel them.
func (k *kubelet) stop(pw *podWork) {
	pw.stopping = true
	if pw.pulling.IsZero() {
		_ = k.world.api.remove(pods, pw.pod.key(), pw.pod.uid)
	}
}

// abort cancels the pulls under way; what was fetched of them is lost.
func (k *kubelet) abort() {
	for _, pw := range k.work {
		pw.pull, pw.pulling = 0, time.Time{}
	}
}

// busy tells whether a pull is under way.
func (k *kubelet) busy() bool {
	return slices.ContainsFunc(k.work, func(pw *podWork) bool { return pw.pull != 0 })
}

// next starts what can be started: of each pod the image that is next.
func (k *kubelet) next() {
	if !k.up {
		return
	}
	for _, pw := range slices.Clone(k.work) {
		if k.skip(pw) {
			k.begin(pw)
		}
	}
}

// skip steps over the images an earlier round has pulled and tells whether
// there is one to pull.
func (k *kubelet) skip(pw *podWork) bool {
	for !pw.stuck && !pw.waiting && pw.next < len(pw.results) {
		if pw.results[pw.next].Kind != outcome.Pulled {
			return pw.pull == 0
		}
		if pw.next++; pw.next == len(pw.results) {
			k.show(pw)
		}
	}
	return false
}

// begin starts the next pull of a pod, or lets it wait for another's.
func (k *kubelet) begin(pw *podWork) {
	if pw.pulling.IsZero() {
		pw.pulling = k.world.time()
	}
	if k.parallel || !k.busy() || k.present(pw) {
		k.start(pw)
	}
}

// present tells whether the next image of a pod needs no pull.
func (k *kubelet) present(pw *podWork) bool {
	j := pw.pod.job
	return k.held[j.images[pw.next]][j.identity] && !j.always[pw.next]
}

// start begins the pull of the next image of a pod.
func (k *kubelet) start(pw *podWork) {
	w := k.world
	image := pw.pod.job.images[pw.next]
	k.pulls++
	pw.pull = k.pulls
	number := pw.pull
	w.promises.pulling(k, pw.pod.job, image)
	result, takes := k.try(pw.pod.job, pw.next)
	w.after(takes, func() {
		if pw.pull != number {
			return
		}
		pw.pull, pw.pulling = 0, time.Time{}
		k.end(pw, image, result)
		k.next()
	})
}

// try says what a pull will bring and when.
func (k *kubelet) try(j *job, i int) (outcome.Image, time.Duration) {
	w, image := k.world, j.images[i]
	here, verified := k.held[image] != nil, k.held[image][j.identity]
	done := outcome.Image{Kind: outcome.Pulled, Digest: "sha256:" + image}
	if verified && !j.always[i] {
		return done, time.Millisecond
	}
	if !k.token() {
		return outcome.Image{Kind: outcome.NotTried}, time.Millisecond
	}
	switch reason := w.registry.bad(image, j.identity); {
	case w.registry.down || w.chance(w.weather.transient):
		return failed(v1alpha2.ReasonRegistryUnavailable), w.spread(2 * time.Second)
	case reason != "":
		return failed(reason), w.spread(manifest)
	case here:
		return done, w.spread(manifest)
	}
	return done, w.spread(manifest) + w.registry.fetch(image)
}

// token takes one of the kubelet's own pull permits: 5 a second, burst 10.
func (k *kubelet) token() bool {
	k.tokens = min(10, k.tokens+5*(k.world.now-k.tokensAt).Seconds())
	k.tokensAt = k.world.now
	if k.tokens < 1 {
		return false
	}
	k.tokens--
	return true
}

// end takes in the end of a pull.
func (k *kubelet) end(pw *podWork, image string, result outcome.Image) {
	if result.Kind == outcome.Pulled {
		k.hold(image, pw.pod.job.identity)
	}
	pw.results[pw.next] = result
	pw.next++
	switch {
	case pw.next < len(pw.results):
	case pw.stopping:
		_ = k.world.api.remove(pods, pw.pod.key(), pw.pod.uid)
	default:
		k.show(pw)
	}
}

func (k *kubelet) hold(image, identity string) {
	if k.held[image] == nil {
		k.held[image] = map[string]bool{}
		k.at[image] = k.world.time()
		k.world.promises.fetched(k, image)
	}
	k.held[image][identity] = true
	k.world.promises.proven(k, plan.Key{Image: image, Identity: identity})
}

// show makes the results of a pod visible: all at once, after the last pull.
// What failed is tried again by the kubelet, with its own back-off.
func (k *kubelet) show(pw *podWork) {
	shown := visible(pw.pod.job, pw.results)
	k.world.api.patch(pw.pod, func(o object) { o.(*pod).shown = shown })
	if !slices.ContainsFunc(shown, func(i outcome.Image) bool { return i.Kind != outcome.Pulled }) {
		k.world.after(k.world.spread(300*time.Millisecond), func() {
			k.world.api.patch(pw.pod, func(o object) { o.(*pod).phase = ended })
		})
		return
	}
	pw.waiting = true
	pw.rounds++
	k.world.after(min(10*time.Second<<pw.rounds, 5*time.Minute), func() {
		pw.waiting, pw.next = false, 0
		k.next()
	})
}

// visible returns what the containers' statuses tell of the results. One
// container for all images tells of the first failure only.
func visible(j *job, results []outcome.Image) []outcome.Image {
	shown := slices.Clone(results)
	told := slices.IndexFunc(shown, func(i outcome.Image) bool { return i.Kind != outcome.Pulled })
	if !j.together || told < 0 {
		return shown
	}
	for i := range shown {
		if i != told {
			shown[i] = outcome.Image{Kind: outcome.NotTried}
		}
	}
	return shown
}

// restart stops the pull under way; the pods start over, what is there stays.
func (k *kubelet) restart(after time.Duration) {
	k.abort()
	k.up = false
	k.work = nil
	k.world.after(after, func() {
		k.up = true
		k.world.syncKubelet(k.name)
	})
}
