package simulation

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubefledged/kubefledged-operator/internal/outcome"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// kubelet runs our pods on one node. It pulls the images of a pod in order and
// one image at a time, or one of each pod. Its image store lives as long as the
// node's uid.
type kubelet struct {
	world *world
	name  string
	uid   types.UID
	// images are what the container runtime has; proven are the identities that
	// pulls of a name were made with, as the kubelet keeps them.
	images *imageStore
	proven map[string]map[string]bool
	// names and most cut what the node tells of its images; telling is true
	// while news of them are on their way.
	names, most int
	telling     bool
	work        []*podWork
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
	// removing is true while a removal is under way.
	removing bool
}

func newKubelet(w *world, n *node) *kubelet {
	return &kubelet{
		world: w, name: n.name, uid: n.uid, up: true, tokens: 10, parallel: !w.weather.steady && w.chance(0.3),
		images: newImageStore(), proven: map[string]map[string]bool{}, names: 5, most: w.settings.mostImages,
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
	k.world.promises.admitting(k, p)
	pw := &podWork{pod: p, results: make([]outcome.Image, len(p.job.images)), stuck: k.stickNext || k.world.chance(k.world.weather.stuck)}
	pw.tells = k.world.chance(0.5)
	k.stickNext = false
	k.work = append(k.work, pw)
	k.world.api.patch(p, func(o object) {
		o.(*pod).phase = running
		o.(*pod).started = k.world.time().Truncate(time.Second)
	})
	if p.job.work == plan.JobRemove {
		k.runRemoval(pw)
	}
}

// runRemoval lets the helper of a removal run; what it reports is read when the
// pod has ended, and lost when the pod is deleted or killed before.
func (k *kubelet) runRemoval(pw *podWork) {
	w := k.world
	pw.removing = !pw.stuck
	w.after(w.spread(700*time.Millisecond), func() {
		if !pw.removing || !k.up {
			return
		}
		pw.removing = false
		j := pw.pod.job
		w.promises.removing(k, j)
		shown := k.images.remove(j.images, j.keep, func(img *stored) { k.lost(img, "removed") })
		k.tellImages()
		if w.chance(w.weather.transient / 2) {
			shown = nil // killed before it could report
		}
		w.after(w.spread(200*time.Millisecond), func() {
			w.api.patch(pw.pod, func(o object) { o.(*pod).shown, o.(*pod).phase = shown, ended })
		})
	})
}

// lost is called before an image goes.
func (k *kubelet) lost(img *stored, how string) {
	k.world.tell(k.name, "%s is %s", img.names[len(img.names)-1], how)
	for _, name := range img.names {
		delete(k.proven, name)
	}
	k.world.promises.lost(k, img.id)
}

// tellImages lets the node tell of its images, when the kubelet comes to it.
func (k *kubelet) tellImages() {
	if k.telling {
		return
	}
	k.telling = true
	k.world.after(40*time.Second, func() {
		k.telling = false
		n := k.world.node(k.name)
		if n == nil || n.uid != k.uid {
			return
		}
		reported, listed := k.images.report(k.names, k.most)
		k.world.api.patch(n, func(o object) { o.(*node).reported, o.(*node).listed = reported, listed })
	})
}

// stop ends a pod that is being deleted. A kubelet that has begun to pull its
// images goes on to the last of them: it does not cancel them.
func (k *kubelet) stop(pw *podWork) {
	pw.stopping, pw.removing = true, false
	if pw.pulling.IsZero() {
		_ = k.world.api.remove(pods, pw.pod.key(), pw.pod.uid)
	}
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
