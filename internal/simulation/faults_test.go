package simulation

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// script is a random run of things that happen to a world.
type script struct {
	*world
	names  int
	images []string
}

var namespaces = []string{"red", "blue"}

// populate makes the beginning of a random world: a registry, some nodes and
// ImageCaches, and weather.
func populate(w *world) *script {
	s := &script{world: w}
	r := w.rng
	w.settings = settings{surge: r.IntN(5), imagesPerJob: []int{0, 0, 1, 3}[r.IntN(4)]}
	w.weather = weather{
		failed: 0.05 * r.Float64(), lost: 0.05 * r.Float64(), conflict: 0.03 * r.Float64(),
		late: 0.1 * r.Float64(), transient: 0.2 * r.Float64(), stuck: 0.05 * r.Float64(), refused: 0.05 * r.Float64(),
	}
	w.settings.mostImages = []int{2, 5, 50, -1}[r.IntN(4)]
	w.settings.verify = time.Duration(2+r.IntN(9)) * time.Minute
	w.settings.grace = time.Duration(r.IntN(3)) * 45 * time.Second
	w.settings.pulls = []int{1, 1, 2, 3}[r.IntN(4)]
	w.settings.debounce = []time.Duration{0, time.Second, 3 * time.Second}[r.IntN(3)]
	w.settings.retain, w.settings.noRemoval = w.chance(0.15), w.chance(0.1)
	w.registry.speed = 20 + r.IntN(150)
	for i := range 6 + r.IntN(12) {
		image := fmt.Sprintf("registry.example/app-%d:v1", i)
		s.images = append(s.images, image)
		w.registry.megabytes[image] = 1 + r.IntN(80)
		if w.chance(0.15) {
			w.registry.megabytes[image] = 500 + r.IntN(8000)
		}
		w.registry.missing[image] = w.chance(0.1)
		w.registry.private[image] = w.chance(0.2)
		if name := fmt.Sprintf([]string{"mirror.example/app-%d:v1", "registry.example/app-%d:latest"}[i%2], i); w.chance(0.3) {
			w.registry.alias(name, image)
			s.images = append(s.images, name)
		}
	}
	for range 2 + r.IntN(4) {
		s.newNode()
	}
	for range 1 + r.IntN(4) {
		s.newCache()
	}
	w.start()
	return s
}

func (s *script) newNode() {
	s.names++
	s.join(fmt.Sprintf("node-%d", s.names), s.labels())
}

func (s *script) labels() map[string]string {
	return map[string]string{"pool": []string{"a", "b"}[s.rng.IntN(2)]}
}

func (s *script) newCache() {
	s.names++
	sp := spec{lists: []list{s.list()}, secrets: s.secrets(), always: s.chance(0.2), suspend: s.chance(0.05)}
	if s.chance(0.3) {
		sp.lists = append(sp.lists, s.list())
	}
	if s.chance(0.3) {
		sp.tolerations = toleratesAll
	}
	sp.purges = s.chance(0.3)
	if s.chance(0.2) {
		sp.deadline = 40 * time.Second
	}
	s.apply(namespaces[s.rng.IntN(2)], fmt.Sprintf("cache-%d", s.names), sp)
}

func (s *script) list() list {
	l := list{}
	for range 1 + s.rng.IntN(8) {
		l.images = append(l.images, s.images[s.rng.IntN(len(s.images))])
	}
	if s.chance(0.4) {
		l.selector = s.labels()
	}
	return l
}

func (s *script) secrets() []string {
	return [][]string{nil, nil, {"good"}, {"bad"}}[s.rng.IntN(4)]
}

// trouble lets things happen at random moments until the given instant.
func (s *script) trouble(until time.Duration) {
	s.after(time.Duration(s.rng.Int64N(int64(20*time.Second))), func() {
		if s.now < until {
			happenings[s.rng.IntN(len(happenings))](s)
			s.trouble(until)
		}
	})
}

// happenings are all things that can happen, the frequent ones several times.
var happenings = []func(*script){
	(*script).newNode, (*script).leaves, (*script).replaced, (*script).replaced,
	(*script).relabeled, (*script).tainted, (*script).cordoned, (*script).fails, (*script).fails,
	(*script).refuses, (*script).restarts, (*script).sticks,
	(*script).newCache, (*script).newCache, (*script).cacheEdited, (*script).cacheEdited, (*script).cacheEdited,
	(*script).cacheDeleted, (*script).registryDown, (*script).registryChanges,
	(*script).quotaSet, (*script).forbid, (*script).crashes, (*script).crashes, (*script).deposed,
	(*script).freezes, (*script).recordDeleted, (*script).jobDeleted, (*script).podDeleted,
	(*script).vanishes, (*script).vanishes, (*script).untagged, (*script).wiped, (*script).pressed,
	(*script).usesImage, (*script).usesImage, (*script).usesImage, (*script).pins, (*script).moves,
	(*script).relabeledBriefly, (*script).recreated,
	(*script).purges, (*script).purges, (*script).refreshes, (*script).refreshes, (*script).purgesAndRefreshes,
}

// any returns a random object of a kind, nil when there is none.
func anyOf[T object](w *world, k kind) (found T, ok bool) {
	all := w.api.list(k)
	if len(all) == 0 {
		return found, false
	}
	return all[w.rng.IntN(len(all))].(T), true
}

func (s *script) while() time.Duration {
	return time.Duration(s.rng.Int64N(int64(90 * time.Second)))
}

// onNode does something to a random node.
func (s *script) onNode(do func(*node, *kubelet)) {
	if n, ok := anyOf[*node](s.world, nodes); ok {
		do(n, s.kubelets[string(n.uid)])
	}
}

func (s *script) leaves() {
	if len(s.api.objects[nodes]) > 2 {
		s.onNode(func(n *node, _ *kubelet) { s.leave(n.name) })
	}
}

func (s *script) replaced() {
	s.onNode(func(n *node, _ *kubelet) { s.replace(n.name, s.while()/10) })
}

func (s *script) relabeled() {
	s.onNode(func(n *node, _ *kubelet) {
		labels := s.labels()
		s.editNode(n.name, fmt.Sprint("gets labels ", labels), func(n *node) { n.labels = labels })
	})
}

func (s *script) tainted() {
	keys := []string{"dedicated", "example.com/new", corev1.TaintNodeDiskPressure}
	taint := corev1.Taint{Key: keys[s.rng.IntN(len(keys))], Effect: corev1.TaintEffectNoSchedule}
	s.onNode(func(n *node, _ *kubelet) {
		taints := slices.DeleteFunc(slices.Clone(n.taints), func(t corev1.Taint) bool { return t.Key == taint.Key })
		if len(taints) == len(n.taints) {
			taints = append(taints, taint)
		}
		s.editNode(n.name, "changes taint "+taint.Key, func(n *node) { n.taints = taints })
	})
}

func (s *script) cordoned() {
	s.onNode(func(n *node, _ *kubelet) {
		s.editNode(n.name, "is cordoned or uncordoned", func(n *node) { n.cordoned = !n.cordoned })
	})
}

func (s *script) fails() {
	s.onNode(func(n *node, _ *kubelet) { s.fail(n.name, s.while()) })
}

func (s *script) refuses() {
	s.onNode(func(n *node, k *kubelet) {
		k.refusing = true
		s.tell(n.name, "has no room for pods")
		s.after(s.while(), func() { k.refusing = false })
	})
}

func (s *script) restarts() {
	s.onNode(func(n *node, k *kubelet) {
		if k.up {
			s.tell(n.name, "kubelet restarts")
			k.restart(s.while() / 10)
		}
	})
}

func (s *script) sticks() {
	s.onNode(func(_ *node, k *kubelet) { k.stickNext = true })
}

func (s *script) cacheEdited() {
	c, ok := anyOf[*cache](s.world, caches)
	if !ok {
		return
	}
	edits := []func(*spec){
		func(sp *spec) { sp.lists = append(sp.lists, s.list()) },
		func(sp *spec) { sp.lists = sp.lists[:max(1, len(sp.lists)-1)] },
		func(sp *spec) { sp.lists[0] = s.list() },
		func(sp *spec) { sp.lists[0].selector = s.labels() },
		func(sp *spec) { sp.secrets = s.secrets() },
		func(sp *spec) { sp.suspend = !sp.suspend },
		func(sp *spec) { sp.always = !sp.always },
		func(sp *spec) { sp.purges = !sp.purges },
		func(sp *spec) { sp.lists[0].images = sp.lists[0].images[:max(1, len(sp.lists[0].images)/2)] },
		func(sp *spec) { sp.interval = time.Duration(s.rng.IntN(3)) * 2 * time.Minute },
		func(*spec) {}, // a bump of the generation
	}
	s.editCache(c, edits[s.rng.IntN(len(edits))])
}

func (s *script) cacheDeleted() {
	c, ok := anyOf[*cache](s.world, caches)
	if !ok || c.deleting {
		return
	}
	if s.chance(0.5) {
		s.hold(c, s.while())
	}
	if now, ok := current(s.world, c); ok {
		s.deleteCache(now)
	}
}

// asks is a user who asks for something, mostly with a value that was not used before.
func (s *script) asks(what plan.OperationKind) {
	if c, ok := anyOf[*cache](s.world, caches); ok {
		s.ask(c, what, []string{"", "", "once", "again"}[s.rng.IntN(4)])
	}
}

func (s *script) purges()    { s.asks(plan.OperationPurge) }
func (s *script) refreshes() { s.asks(plan.OperationRefresh) }

// purgesAndRefreshes asks for both within seconds, and sometimes at once.
func (s *script) purgesAndRefreshes() {
	c, ok := anyOf[*cache](s.world, caches)
	if !ok {
		return
	}
	s.ask(c, plan.OperationPurge, "")
	s.after(time.Duration(s.rng.IntN(2))*s.while()/20, func() {
		if now, ok := current(s.world, c); ok {
			s.ask(now, plan.OperationRefresh, "")
		}
	})
}

func (s *script) registryDown() {
	s.registry.down = true
	s.after(s.while()/3, func() { s.registry.down = false })
}

func (s *script) registryChanges() {
	image := s.images[s.rng.IntN(len(s.images))]
	s.registry.missing[image] = !s.registry.missing[image]
}

func (s *script) quotaSet() {
	namespace := namespaces[s.rng.IntN(2)]
	s.quota[namespace] = true
	s.tell(namespace, "its quota allows no pods")
	s.after(s.while(), func() { s.quota[namespace] = false })
}

func (s *script) forbid() {
	namespace := namespaces[s.rng.IntN(2)]
	s.forbidden[namespace] = true
	s.tell(namespace, "the API server refuses Jobs")
	s.after(s.while(), func() { s.forbidden[namespace] = false })
}

func (s *script) crashes()       { s.crash(s.while() / 5) }
func (s *script) freezes()       { s.freeze(kind(s.rng.IntN(int(kinds))), s.while()/2) }
func (s *script) recordDeleted() { s.onNode(func(n *node, _ *kubelet) { s.deleteRecord(n.name) }) }

// deposed needs a leader that has been in office for a while.
func (s *script) deposed() {
	if s.leaders() == 1 {
		s.depose()
	}
}

func (s *script) jobDeleted() {
	if j, ok := anyOf[*job](s.world, jobs); ok && !j.deleting {
		s.deleteJob(j, s.chance(0.5))
	}
}

func (s *script) podDeleted() {
	if p, ok := anyOf[*pod](s.world, pods); ok && !p.deleting {
		s.tell(p.job.node, "the pod of Job %d is deleted by a user", p.job.sequence)
		s.api.patch(p, func(o object) { o.(*pod).deleting = true })
	}
}

// peace ends all trouble: what is broken is mended, one leader is in office.
func (s *script) peace() {
	s.tell("world", "peace")
	s.weather = weather{}
	s.registry.down = false
	clear(s.quota)
	clear(s.forbidden)
	for _, k := range s.kubelets {
		k.refusing, k.stickNext = false, false
	}
	if s.leaders() == 0 {
		s.start()
	}
}
