package plan

import (
	"cmp"
	"math"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/reference"
)

// The policy of batches. All pulls of a pod run before its first container
// starts and its status shows nothing until then, so a batch must be short in
// time; but each Job costs two to four seconds of its own, so small images go
// together. The kubelet starts ten pulls in a burst and five more each second
// (registryBurst, registryPullQPS); our helper image may be the eleventh, and
// pulling ten takes long enough for it.
const (
	autoImagesPerJob = 10
	largeImageBytes  = 512 << 20
)

// class orders the images a node is due: those a slow Job has brought already,
// new ones, those that have to be looked for, those that vanished, those to be
// pulled again, then what failed, then what must go alone because it may take
// long, and last what has already taken too long: a few of those, each due again when the others have had their
// time, would keep all other large images from a node for ever.
type class int

const (
	brought class = iota
	fresh
	verify
	missing
	refresh
	retry
	alone
	late
	notDue
)

// newcomer tells the classes of images that a node has never had.
func (c class) newcomer() bool { return c <= fresh || c == alone }

// candidate is an image that could go into the next Job.
type candidate struct {
	want  *Want
	class class
	owner *Cache
	size  int64
}

// nextJob creates the next Job when the node is free and something is due.
func (d *nodePlan) nextJob() {
	if wait := d.ledger.status.Wait; wait != nil && d.in.Now.Before(wait.Until.Time) {
		d.notef("wait until the node takes pods again: %s", wait.Reason)
		d.lookAgain(wait.Until.Sub(d.in.Now))
		return
	}
	if !d.room() {
		return
	}
	due := d.candidates()
	newcomers := slices.ContainsFunc(due, func(c candidate) bool { return c.class.newcomer() })
	if d.nextRemoval(newcomers) {
		return
	}
	batch := d.pick(due)
	if len(batch) == 0 || batch[0].class == verify && !d.deserted() {
		return // a verification runs alone
	}
	if wait := d.pace(len(batch)); wait > 0 {
		d.lookAgain(wait)
		return
	}
	d.create(batch)
}

// create creates the Job of a batch.
func (d *nodePlan) create(batch []candidate) {
	spec := JobSpec{
		Kind: JobPull, Owner: batch[0].owner, NodeCacheUID: d.in.Record.UID, Sequence: d.nextNumber(),
		Node: &d.in.Node, Identity: batch[0].want.Identity, Deadline: batch[0].owner.PullDeadline,
	}
	if batch[0].class == verify {
		spec.Kind, spec.Deadline = JobVerify, verifyDeadline
	}
	spec.Together = d.together(batch)
	for _, j := range d.besides() {
		spec.Beside = append(spec.Beside, j.Namespace+"/"+j.Name)
	}
	for _, c := range batch {
		spec.Images = append(spec.Images, *c.want)
		d.notef("Job %d: %s %s for %s/%s", spec.Sequence, spec.Kind, c.want.Image, c.owner.Namespace, c.owner.Name)
	}
	d.creating = true
	d.act(CreateJob{spec})
}

// candidates returns all images that are due, and asks to be called again
// when the next one is.
func (d *nodePlan) candidates() []candidate {
	var due []candidate
	for i := range d.wants {
		want := &d.wants[i]
		owner := d.active(want)
		if owner == nil || d.flying(want.Key) {
			continue
		}
		c := candidate{want: want, owner: owner, class: d.classify(want)}
		c.size = d.sizeOr(want.Image, math.MaxInt64)
		if c.class != notDue && !d.closed(c) {
			due = append(due, c)
		}
	}
	return due
}

// closed tells whether the image cannot be asked for now: its registry is to be
// left alone, or a verification would run beside a slow pull.
func (d *nodePlan) closed(c candidate) bool {
	if c.class == verify {
		return d.slowJob != nil
	}
	wait := d.registryOpen(reference.Registry(c.want.Image)).Sub(d.in.Now)
	if wait > 0 {
		d.lookAgain(wait)
	}
	return wait > 0
}

// registryOpen asks once about each registry: the answer may change while a
// decision is made, and a part of a batch must not go ahead of the rest.
func (d *nodePlan) registryOpen(host string) time.Time {
	at, asked := d.registries[host]
	if !asked && d.in.Options.RegistryOpen != nil {
		at = d.in.Options.RegistryOpen(host)
		d.registries[host] = at
	}
	return at
}

func (d *nodePlan) classify(want *Want) class {
	key, rec := want.Key, d.ledger.get(want.Key)
	switch {
	case rec == nil && d.arrived(key):
		return brought
	case rec == nil && d.large(key.Image):
		return alone
	case rec == nil:
		return fresh
	case rec.State == v1alpha2.ImageStateCached:
		return d.classifyCached(want, rec)
	case rec.State == v1alpha2.ImageStateDeferred && d.heldBySlow(key):
		return notDue
	case rec.State == v1alpha2.ImageStateDeferred:
		return alone
	case rec.State == v1alpha2.ImageStateMissing:
		return d.dueIn(d.vanishedWait(rec), missing)
	}
	if wait := retryAt(rec, d.in.Node.UID).Sub(d.in.Now); wait > 0 && !d.anotherMayTry(want, rec) {
		d.lookAgain(wait)
		return notDue
	}
	if rec.Reason == v1alpha2.ReasonPullDeadlineExceeded {
		return late
	}
	return retry
}

// classifyCached tells when an image that is there is pulled again or verified.
func (d *nodePlan) classifyCached(want *Want, rec *v1alpha2.ImageRecord) class {
	again := verify
	if want.Policy == corev1.PullAlways {
		again = refresh
	}
	every := refreshEvery(want)
	switch {
	case rec.Due == v1alpha2.DueVerify:
		return verify
	case rec.Attempts > 0:
		return d.dueIn(retryAt(rec, d.in.Node.UID).Sub(d.in.Now), again)
	case rec.Due == v1alpha2.DuePull:
		return refresh
	case again == refresh && every > 0:
		// Not by image: what was pulled together is due together.
		seed := string(d.in.Node.UID) + rec.Time.UTC().Format(time.RFC3339)
		return d.dueIn(rec.Time.Add(jitter(every, seed)).Sub(d.in.Now), refresh)
	default:
		return notDue
	}
}

// dueIn returns c once wait is over, and asks to be called again then.
func (d *nodePlan) dueIn(wait time.Duration, c class) class {
	if wait > 0 {
		d.lookAgain(wait)
		return notDue
	}
	return c
}

// anotherMayTry tells whether the image failed for its claimant's namespace and
// not for itself, and another claimant has not been tried yet.
func (d *nodePlan) anotherMayTry(want *Want, rec *v1alpha2.ImageRecord) bool {
	ofNamespace := rec.Reason == v1alpha2.ReasonPodNotCreated || rec.Reason == v1alpha2.ReasonJobNotCreated
	return ofNamespace && int(rec.Attempts) < d.open(want)
}

// open returns the number of claimants that get work on this node.
func (d *nodePlan) open(want *Want) int {
	n := 0
	for _, cache := range want.Claimants {
		if Blocked(&d.in.Node, cache) == "" {
			n++
		}
	}
	return n
}

// active returns the claimant a pull of want is made for: one that gets work
// on this node, the next one after each failure, because a quota or a policy
// of one namespace must not keep the image from all. Nil when there is none.
func (d *nodePlan) active(want *Want) *Cache {
	open := d.open(want)
	if open == 0 {
		return nil
	}
	turn := 0
	if rec := d.ledger.get(want.Key); rec != nil {
		turn = int(rec.Attempts) % open
	}
	for _, cache := range want.Claimants {
		if Blocked(&d.in.Node, cache) != "" {
			continue
		}
		if turn == 0 {
			return cache
		}
		turn--
	}
	return nil // never reached: turn is below the number of those
}

// group is what one Job may hold: images of one class, owner and identity.
type group struct {
	class    class
	owner    types.UID
	identity string
}

// pick returns the images of the next Job: of the first class that has any,
// the smallest group, so that a cache with one image does not wait for a cache
// with five hundred; small images first, unknown ones last.
func (d *nodePlan) pick(due []candidate) []candidate {
	groups := map[group][]candidate{}
	var order []group
	for _, c := range due {
		g := group{c.class, c.owner.UID, c.want.Identity}
		if _, seen := groups[g]; !seen {
			order = append(order, g)
		}
		groups[g] = append(groups[g], c)
	}
	if len(order) == 0 {
		return nil
	}
	first := slices.MinFunc(order, func(a, b group) int {
		return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(len(groups[a]), len(groups[b])))
	})
	batch := groups[first]
	slices.SortStableFunc(batch, func(a, b candidate) int { return cmp.Compare(a.size, b.size) })
	most := d.limit(first.class, first.identity)
	if first.class != verify {
		most = min(most, d.share(len(batch)))
	}
	return batch[:min(len(batch), most)]
}

// share returns how many of n images the next Job gets where the kubelet pulls
// for several Jobs at once: as many as each of those that still fit.
func (d *nodePlan) share(n int) int {
	jobs := max(1, d.in.Options.PullsPerNode) - d.pulls
	return (n + jobs - 1) / jobs
}

// together tells whether one container may stand for the whole batch: a node
// starts it ten times as fast as ten. When an image of it fails only that one
// is known, so as soon as any has failed each gets its own container again. The
// exec method runs each image, so it has one for each in any case.
func (d *nodePlan) together(batch []candidate) bool {
	c := batch[0].class
	if len(batch) < 2 || c >= retry || d.in.Node.Method != MethodImageVolume {
		return false
	}
	return !d.troubled(c, batch[0].want.Identity)
}

// troubled tells whether any image of the identity is one because of which
// those of this class get a container each: one that failed or, for a
// verification, is missing.
func (d *nodePlan) troubled(c class, identity string) bool {
	return slices.ContainsFunc(d.ledger.status.Images, func(rec v1alpha2.ImageRecord) bool {
		failed := rec.State == v1alpha2.ImageStateFailed || rec.State == v1alpha2.ImageStateCached && rec.Attempts > 0
		absent := c == verify && rec.State == v1alpha2.ImageStateMissing
		return rec.Identity == identity && (failed || absent)
	})
}

// limit returns how many images of a class one Job takes.
func (d *nodePlan) limit(c class, identity string) int {
	switch {
	case c == alone, c == late:
		return 1
	case c == verify && d.in.Node.Method == MethodImageVolume && !d.troubled(c, identity):
		return verifiesPerJob
	case d.in.Options.ImagesPerJob > 0:
		return d.in.Options.ImagesPerJob
	default:
		return autoImagesPerJob
	}
}

// size returns what any node told of the image's size in bytes.
func (d *nodePlan) size(ref string) (int64, bool) {
	if r, ok := d.in.Node.Reported[ref]; ok && r.SizeBytes > 0 {
		return r.SizeBytes, true
	}
	if d.in.Options.Sizes == nil {
		return 0, false
	}
	return d.in.Options.Sizes(ref)
}

// sizeOr is size with a value for images of which no node has told.
func (d *nodePlan) sizeOr(ref string, unknown int64) int64 {
	if bytes, known := d.size(ref); known {
		return bytes
	}
	return unknown
}

func (d *nodePlan) large(ref string) bool {
	bytes, known := d.size(ref)
	return known && bytes > largeImageBytes
}
