package plan

import (
	"slices"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

// A pod's status shows nothing until its last image is pulled, and a kubelet
// does not stop a pull whose pod is deleted (KUBE/pkg/kubelet/kubelet.go calls
// the runtime without cancellation). So when one image of a Job pulls slowly,
// that Job is left to finish it, and the others get a Job beside it: those the
// events say have arrived at once, the rest as fast as the kubelet can.

// slow returns the index of the image that the others should no longer wait
// for, -1 for none: it has been pulled for SlowPull, has no record yet, and no
// other is set aside on this node.
func (d *nodePlan) slow(j *Job) int {
	p := j.Attempt.Pulling
	if p == nil || d.in.Now.Sub(p.Since) < SlowPull || d.ledger.status.SlowJob != 0 {
		return -1
	}
	key := Key{j.Images[p.Index], j.Identity}
	if rec := d.ledger.get(key); rec != nil && rec.State != v1alpha2.ImageStateMissing || d.large(key.Image) {
		return -1
	}
	if len(undecided(j)) > 1 || d.othersWait(j) {
		return p.Index
	}
	return -1
}

// othersWait tells whether the node is due images that are not in the Job.
func (d *nodePlan) othersWait(j *Job) bool {
	return slices.ContainsFunc(d.wants, func(w Want) bool {
		inJob := w.Identity == j.Identity && slices.Contains(j.Images, w.Image)
		return !inJob && d.ledger.get(w.Key) == nil && d.active(&w) != nil
	})
}

// setAside records what is decided of a Job and leaves it to its slow image.
func (d *nodePlan) setAside(j *Job, slow int) {
	d.notef("Job %d: %s pulls slowly, the others go on beside it", j.Sequence, j.Images[slow])
	d.ledger.deferImage(Key{j.Images[slow], j.Identity}, d.in.Now)
	d.record(j, j.Attempt)
	d.ledger.status.SlowJob = j.Sequence
}

// judgeSlow looks at the Job that was left to its slow image.
func (d *nodePlan) judgeSlow(j *Job) {
	switch {
	case j.Attempt.Settled, j.Deleting, j.Gone, !d.deferredBy(j):
		d.endSlow(j, j.Attempt)
	case d.expired(j):
		attempt := j.Attempt
		attempt.Images = slices.Clone(attempt.Images)
		for _, i := range undecided(j) {
			if rec := d.ledger.get(Key{j.Images[i], j.Identity}); rec != nil && rec.State == v1alpha2.ImageStateDeferred {
				attempt.Images[i] = tooLate(j.Deadline)
			}
		}
		d.endSlow(j, attempt)
	default:
		d.tellEarly(j)
		d.slowJob = j
	}
}

// deferredBy tells whether an image of the Job is wanted and deferred.
func (d *nodePlan) deferredBy(j *Job) bool {
	return slices.ContainsFunc(j.Images, func(image string) bool {
		key := Key{image, j.Identity}
		_, wanted := d.wanted[key]
		rec := d.ledger.get(key)
		return wanted && rec != nil && rec.State == v1alpha2.ImageStateDeferred
	})
}

// endSlow notes what the Job brought for images that no other Job has settled.
func (d *nodePlan) endSlow(j *Job, attempt outcome.Attempt) {
	for i, result := range attempt.Images {
		key := Key{j.Images[i], j.Identity}
		if rec := d.ledger.get(key); rec == nil || rec.State == v1alpha2.ImageStateDeferred {
			d.ledger.note(key, result, d.in.Now)
			d.hold(key, j)
		}
	}
	d.notef("Job %d: its slow image is settled", j.Sequence)
	d.ledger.status.SlowJob = 0
	d.ledger.changed = true
}

// forgetSlow ends the wait for a slow Job that is no more.
func (d *nodePlan) forgetSlow() {
	number := d.ledger.status.SlowJob
	if number != 0 && !slices.ContainsFunc(d.in.Jobs, func(j Job) bool { return j.Sequence == number }) {
		d.ledger.status.SlowJob = 0
		d.ledger.changed = true
	}
}

// arrived tells whether events say that the slow Job has brought this image.
func (d *nodePlan) arrived(key Key) bool {
	j := d.slowJob
	if j == nil || j.Identity != key.Identity {
		return false
	}
	i := slices.Index(j.Images, key.Image)
	return i >= 0 && slices.Contains(j.Attempt.Arrived, i)
}

// heldBySlow tells whether the slow Job is the one to settle this image.
func (d *nodePlan) heldBySlow(key Key) bool {
	return d.slowJob != nil && d.slowJob.Identity == key.Identity && slices.Contains(d.slowJob.Images, key.Image)
}
