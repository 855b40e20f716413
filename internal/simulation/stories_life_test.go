package simulation

import (
	"time"

	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// Stories of what happens to an ImageCache after its images were pulled.

func init() {
	for name, scenario := range lifeStories {
		stories[name] = scenario
	}
}

// cached makes a world of n nodes that hold the images of default/web.
func (w *world) cached(n int, s spec) {
	w.begin(n)
	w.apply("default", "web", s)
	w.wait(30 * time.Second)
}

// aliased makes two names of one image.
func (w *world) aliased() []string {
	names := w.named("app", 2, 40)
	w.registry.alias(names[1], names[0])
	return names
}

// image returns what a node has under a name.
func (w *world) image(node, name string) (*kubelet, *stored) {
	k := w.kubelets[string(w.node(node).uid)]
	return k, k.images.images[k.images.ids[name]]
}

var lifeStories = map[string]func(*world){
	"edit-removes": func(w *world) {
		images := w.named("app", 3, 40)
		w.cached(1, everywhere(images...))
		w.apply("default", "web", everywhere(images[0]))
		w.wait(30 * time.Second)
	},
	"purge": func(w *world) {
		w.cached(2, everywhere(w.named("app", 2, 40)...))
		w.ask(w.cacheNow("default/web"), plan.OperationPurge, "")
		w.wait(time.Minute)
	},
	"purge-in-mid-pull": func(w *world) {
		w.begin(1)
		w.apply("default", "web", everywhere(w.named("app", 2, 200)...))
		w.wait(5 * time.Second)
		w.ask(w.cacheNow("default/web"), plan.OperationPurge, "")
		w.wait(time.Minute)
	},
	"purge-then-refresh": func(w *world) {
		w.cached(1, everywhere(w.named("app", 2, 40)...))
		w.ask(w.cacheNow("default/web"), plan.OperationPurge, "")
		w.wait(time.Second)
		w.ask(w.cacheNow("default/web"), plan.OperationRefresh, "")
		w.wait(time.Minute)
	},
	"two-tags-of-one-image": func(w *world) {
		names := w.aliased()
		w.cached(1, everywhere(names[0]))
		w.apply("default", "shop", everywhere(names[1]))
		w.wait(30 * time.Second)
		w.ask(w.cacheNow("default/web"), plan.OperationPurge, "")
		w.wait(time.Minute)
		w.ask(w.cacheNow("default/shop"), plan.OperationPurge, "")
		w.wait(time.Minute)
	},
	"relabel-and-back": func(w *world) {
		w.settings.grace = time.Minute
		w.cached(1, spec{lists: []list{{images: w.named("app", 1, 40), selector: map[string]string{"pool": "a"}}}})
		for _, away := range []time.Duration{40 * time.Second, 80 * time.Second} {
			w.editNode("node-1", "is relabeled", func(n *node) { n.labels = map[string]string{"pool": "b"} })
			w.wait(away)
			w.editNode("node-1", "has its labels back", func(n *node) { n.labels = map[string]string{"pool": "a"} })
			w.wait(30 * time.Second)
		}
	},
	"delete-with-purge-and-a-dead-node": func(w *world) {
		s := everywhere(w.named("app", 1, 40)...)
		s.purges = true
		w.cached(2, s)
		w.fail("node-2", 20*time.Minute)
		w.deleteCache(w.cacheNow("default/web"))
		w.wait(21 * time.Minute)
	},
	"image-vanishes": func(w *world) {
		w.settings.verify = 10 * time.Minute
		images := w.named("app", 2, 40)
		w.cached(1, everywhere(images...))
		w.wait(2 * time.Minute)
		k, img := w.image("node-1", images[0])
		k.vanish(img)
		w.wait(2 * time.Minute)
	},
	"image-vanishes-again-and-again": func(w *world) {
		images := w.named("app", 2, 40)
		w.cached(1, everywhere(images...))
		for range 4 {
			w.wait(100 * time.Second)
			if k, img := w.image("node-1", images[0]); img != nil {
				k.vanish(img)
			}
		}
		w.wait(3 * time.Minute)
	},
	"runtime-wiped": func(w *world) {
		w.cached(1, everywhere(w.named("app", 2, 40)...))
		w.wipe("node-1")
		w.wait(time.Minute)
	},
	"recreated-with-fewer-images": func(w *world) {
		images := w.named("app", 3, 40)
		w.cached(1, everywhere(images...))
		w.crash(10 * time.Second)
		w.deleteCache(w.cacheNow("default/web"))
		w.apply("default", "web", everywhere(images[0]))
		w.wait(2 * time.Minute)
	},
	"crash-between-acceptance-and-serving": func(w *world) {
		w.cached(1, everywhere(w.named("app", 2, 40)...))
		w.ask(w.cacheNow("default/web"), plan.OperationPurge, "")
		for w.cacheNow("default/web").operation.ID == 0 {
			w.wait(time.Millisecond)
		}
		w.crash(10 * time.Second)
		w.wait(time.Minute)
	},
	"image-in-use": func(w *world) {
		images := w.named("app", 1, 40)
		w.cached(1, everywhere(images...))
		k, img := w.image("node-1", images[0])
		k.use(img, 40*time.Second)
		w.ask(w.cacheNow("default/web"), plan.OperationPurge, "")
		w.wait(3 * time.Minute)
	},
	"refresh-retries-failures": func(w *world) {
		images := w.named("app", 2, 40)
		w.registry.missing[images[0]] = true
		w.cached(1, everywhere(images...))
		w.registry.missing[images[0]] = false
		w.ask(w.cacheNow("default/web"), plan.OperationRefresh, "")
		w.wait(30 * time.Second)
	},
	"refresh-pulls-what-moved": func(w *world) {
		images := w.named("app", 2, 40)
		s := everywhere(images...)
		s.always = true
		w.cached(1, s)
		w.registry.moved[images[0]]++
		w.ask(w.cacheNow("default/web"), plan.OperationRefresh, "")
		w.wait(time.Minute)
	},
}
