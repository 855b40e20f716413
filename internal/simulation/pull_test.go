package simulation

import (
	"slices"
	"time"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// How a kubelet works on the images of a pod: pulls them, or looks for them.

// abort cancels the work under way; what was fetched is lost.
func (k *kubelet) abort() {
	for _, pw := range k.work {
		pw.pull, pw.pulling, pw.removing = 0, time.Time{}, false
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
	for !pw.stuck && !pw.waiting && pw.pod.job.work != plan.JobRemove && pw.next < len(pw.results) {
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
	image := j.images[pw.next]
	return j.work == plan.JobVerify || k.holds(image, j.identity) && !j.always[pw.next]
}

// holds tells whether an image is there and was pulled with this identity.
func (k *kubelet) holds(image, identity string) bool {
	return k.images.has(image) && k.proven[image][identity]
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

// try says what a pull, or a look, will bring and when.
func (k *kubelet) try(j *job, i int) (outcome.Image, time.Duration) {
	w, image := k.world, j.images[i]
	verified := k.holds(image, j.identity)
	done := outcome.Image{Kind: outcome.Pulled, Digest: k.images.ids[image]}
	switch {
	case verified && (j.work == plan.JobVerify || !j.always[i]):
		return done, time.Millisecond
	case j.work == plan.JobVerify:
		return outcome.Image{Kind: outcome.Absent}, time.Millisecond
	case !k.token():
		return outcome.Image{Kind: outcome.NotTried}, time.Millisecond
	}
	done.Digest = w.registry.digest(image)
	switch reason := w.registry.bad(image, j.identity); {
	case w.registry.down || w.chance(w.weather.transient):
		return failed(v1alpha2.ReasonRegistryUnavailable), w.spread(2 * time.Second)
	case reason != "":
		return failed(reason), w.spread(manifest)
	case k.images.images[done.Digest] != nil:
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
	if result.Kind == outcome.Pulled && pw.pod.job.work == plan.JobPull {
		k.hold(image, pw.pod.job.identity, result.Digest)
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

// hold takes an image that was pulled into the store.
func (k *kubelet) hold(image, identity, digest string) {
	if k.images.put(image, digest, k.world.registry.megabytes[image]) {
		k.world.promises.fetched(k, image, digest)
	}
	if k.proven[image] == nil {
		k.proven[image] = map[string]bool{}
	}
	k.proven[image][identity] = true
	k.tellImages()
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
