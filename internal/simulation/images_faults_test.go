package simulation

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// What happens to the images of a node that is not the controller's doing.

// someImage returns a random image of a node, nil when it has none.
func (s *script) someImage(k *kubelet) *stored {
	ids := sortedKeys(k.images.images)
	if len(ids) == 0 {
		return nil
	}
	return k.images.images[ids[s.rng.IntN(len(ids))]]
}

// vanishes is the kubelet's garbage collection, or somebody with a command line.
func (s *script) vanishes() {
	s.onNode(func(_ *node, k *kubelet) {
		for range 1 + s.rng.IntN(4) {
			if img := s.someImage(k); img != nil && img.users == 0 {
				k.vanish(img)
			}
		}
	})
}

// untagged is somebody who removes one name of an image.
func (s *script) untagged() {
	s.onNode(func(_ *node, k *kubelet) {
		if img := s.someImage(k); img != nil {
			k.untag(img.names[s.rng.IntN(len(img.names))])
		}
	})
}

func (s *script) wiped() { s.onNode(func(n *node, _ *kubelet) { s.wipe(n.name) }) }

// usesImage is a user's pod that runs from an image for a time, or for ever.
func (s *script) usesImage() {
	s.onNode(func(_ *node, k *kubelet) {
		if img := s.someImage(k); img != nil {
			lasts := 3 * s.while()
			if s.chance(0.1) {
				lasts = 100 * time.Hour
			}
			k.use(img, lasts)
		}
	})
}

// pins is an image that the runtime's configuration pins.
func (s *script) pins() {
	s.onNode(func(_ *node, k *kubelet) {
		if img := s.someImage(k); img != nil && s.chance(0.3) {
			s.tell(k.name, "%s is pinned", img.id)
			img.pinned = true
		}
	})
}

// pressed is disk pressure: the kubelet deletes images until it is over.
func (s *script) pressed() {
	s.onNode(func(n *node, _ *kubelet) {
		if !n.pressure {
			s.press(n.name, s.while())
		}
	})
}

// moves is a push to a tag that exists.
func (s *script) moves() {
	image := s.images[s.rng.IntN(len(s.images))]
	s.registry.moved[image]++
	s.tell("registry", "%s is another image now", image)
}

// relabeledBriefly is a node whose labels change, and back.
func (s *script) relabeledBriefly() {
	s.onNode(func(n *node, _ *kubelet) {
		before, labels := n.labels, s.labels()
		s.editNode(n.name, "is relabeled for a while", func(n *node) { n.labels = labels })
		s.after(s.while()/3, func() {
			s.editNode(n.name, "has its labels back", func(n *node) { n.labels = before })
		})
	})
}

// recreated is an ImageCache that is deleted and made again under its name with
// fewer images while no controller is there.
func (s *script) recreated() {
	c, ok := anyOf[*cache](s.world, caches)
	if !ok || c.deleting || c.finalizer {
		return
	}
	s.crash(s.while() / 5)
	s.deleteCache(c)
	again := c.spec
	again.lists = slices.Clone(again.lists)
	again.lists[0].images = again.lists[0].images[:1]
	s.apply(c.namespace, c.name, again)
}

// vanish deletes an image from under the record.
func (k *kubelet) vanish(img *stored) {
	k.lost(img, "gone")
	k.images.drop(img.id)
	k.tellImages()
}

// untag takes one name of an image away.
func (k *kubelet) untag(name string) {
	img := k.images.images[k.images.ids[name]]
	k.world.tell(k.name, "the name %s is taken away", name)
	if len(img.names) == 1 {
		k.lost(img, "gone")
	}
	delete(k.proven, name)
	k.images.untag(name)
	k.tellImages()
}

// use runs a user's pod from an image.
func (k *kubelet) use(img *stored, lasts time.Duration) {
	k.world.tell(k.name, "a pod uses %s for %s", img.names[len(img.names)-1], lasts.Truncate(time.Second))
	img.users++
	k.world.after(lasts, func() { img.users-- })
}

// wipe empties the container runtime of a node: its disk was exchanged.
func (w *world) wipe(name string) {
	n := w.node(name)
	if n == nil {
		return
	}
	k := w.kubelets[string(n.uid)]
	w.tell(name, "its runtime is wiped")
	k.abort()
	for _, id := range sortedKeys(k.images.images) {
		k.lost(k.images.images[id], "gone")
	}
	k.images, k.work = newImageStore(), nil
	k.tellImages()
	w.fail(name, 10*time.Second)
	w.editNode(name, "starts anew", func(n *node) { n.bootID = w.bootID() })
}

// press puts a node under disk pressure for a time.
func (w *world) press(name string, lasts time.Duration) {
	n := w.node(name)
	if n == nil {
		return
	}
	taint := corev1.Taint{Key: corev1.TaintNodeDiskPressure, Effect: corev1.TaintEffectNoSchedule}
	w.editNode(name, "has disk pressure", func(n *node) {
		n.pressure, n.taints = true, append(slices.Clone(n.taints), taint)
	})
	w.after(lasts/2, func() { w.collectImages(n) })
	w.after(lasts, func() {
		if _, ok := current(w, n); ok {
			w.editNode(name, "has no disk pressure any more", func(n *node) {
				n.pressure = false
				n.taints = slices.DeleteFunc(slices.Clone(n.taints), func(t corev1.Taint) bool { return t.Key == taint.Key })
			})
		}
	})
}

// collectImages is the kubelet's garbage collection: of what no pod uses.
func (w *world) collectImages(n *node) {
	k := w.kubelets[string(n.uid)]
	for _, id := range sortedKeys(k.images.images) {
		if img := k.images.images[id]; img.users == 0 && !img.pinned && !k.works(img) && w.chance(0.5) {
			k.vanish(img)
		}
	}
}

// works tells whether a pod of ours mounts an image of this name now.
func (k *kubelet) works(img *stored) bool {
	return slices.ContainsFunc(k.work, func(pw *podWork) bool {
		return slices.ContainsFunc(pw.pod.job.images, func(i string) bool { return contains(img.names, i) })
	})
}
