package plan

import (
	"slices"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

// settleJobs records what has ended and deletes what is recorded.
func (d *nodePlan) settleJobs() {
	for i := range d.in.Jobs {
		j := &d.in.Jobs[i]
		busy := true
		switch {
		case j.NodeUID != d.in.Node.UID:
			d.deleteJob(j, "its node was replaced")
		case !d.counts(j):
			d.deleteJob(j, "it is of a record that is gone")
			busy = j.PodRunning || j.podUnseen()
		case j.Sequence != 0 && j.Sequence == d.in.Record.SlowJob:
			d.judgeSlow(j)
			d.lookAgain(pollInterval)
			busy = false
		case !isRecorded(&d.in.Record.NodeCacheStatus, j.Sequence):
			d.judge(j)
		default:
			busy = !d.spend(j) && (j.PodRunning || j.podUnseen())
			if !d.ending(j) && !d.retained(j) {
				d.deleteJob(j, "its outcome is recorded")
			}
		}
		if busy {
			d.occupy(j)
		}
	}
	d.forgetSlow()
	d.forgetOpen()
}

// retained tells whether a recorded Job stays until its time to live is over:
// when it has finished, or will once the Job controller has seen its pod end.
// One whose kubelet would go on asking a registry does not.
func (d *nodePlan) retained(j *Job) bool {
	podEnded := !j.PodRunning && !j.podUnseen() && !j.Gone
	reported := j.Kind == JobRemove && j.Attempt.Settled && !d.expired(j)
	return d.in.Options.RetainJobs && (j.Finished || podEnded || reported)
}

// podUnseen tells whether the Job may have a pod that no informer has shown.
func (j *Job) podUnseen() bool {
	return j.Attempt.Started.IsZero() && !j.Finished && !j.Gone
}

// counts tells whether the Job has its number from this record. One of an
// earlier record, which somebody deleted, says nothing about now.
func (d *nodePlan) counts(j *Job) bool { return j.Record == "" || j.Record == d.in.Record.UID }

// occupy counts a Job that the kubelet may still work on.
func (d *nodePlan) occupy(j *Job) {
	d.lookAgain(pollInterval)
	pull := (j.Kind == JobPull || j.Kind == "") && !j.Gone && j.NodeUID == d.in.Node.UID
	if pull {
		d.pulls++
	} else {
		d.alone = true
	}
}

// spend notes a recorded Job that has brought all its images, and tells whether
// it is one. Its kubelet has nothing left to pull for it: all pulls of a pod end
// before its containers start. Its pod takes another two seconds to end, which
// the next pull Job does not wait for; what runs alone does.
func (d *nodePlan) spend(j *Job) bool {
	brought := j.Kind != JobVerify && j.Kind != JobRemove && !j.Gone && !j.podUnseen() &&
		!slices.ContainsFunc(j.Attempt.Images, func(i outcome.Image) bool { return i.Kind != outcome.Pulled })
	if brought && !j.Finished {
		d.lookAgain(pollInterval)
		d.spent = append(d.spent, j)
	}
	return brought
}

// deserted tells whether nothing of ours is left on the node but what has ended.
func (d *nodePlan) deserted() bool {
	return d.pulls == 0 && !slices.ContainsFunc(d.spent, func(j *Job) bool { return j.PodRunning })
}

// besides returns the Jobs that a pull Job may run beside.
func (d *nodePlan) besides() []*Job {
	if d.slowJob == nil {
		return d.spent
	}
	return append([]*Job{d.slowJob}, d.spent...)
}

// isRecorded tells whether the outcome of the Job with this number is in the record.
func isRecorded(s *v1alpha2.NodeCacheStatus, sequence int64) bool {
	return sequence <= s.Sequence && !slices.Contains(s.OpenJobs, sequence)
}

// openNumbers returns the numbers of the Jobs of this node that are not recorded.
func (d *nodePlan) openNumbers() []int64 {
	var numbers []int64
	for i := range d.in.Jobs {
		j := &d.in.Jobs[i]
		if j.NodeUID == d.in.Node.UID && d.counts(j) && !isRecorded(&d.in.Record.NodeCacheStatus, j.Sequence) {
			numbers = append(numbers, j.Sequence)
		}
	}
	return numbers
}

// nextNumber returns the number of the next Job.
func (d *nodePlan) nextNumber() int64 {
	return max(d.in.Record.Sequence, slices.Max(append(d.openNumbers(), 0))) + 1
}

// forgetOpen ends the wait for the outcome of Jobs that are no more.
func (d *nodePlan) forgetOpen() {
	s := &d.ledger.status
	before := len(s.OpenJobs)
	s.OpenJobs = slices.DeleteFunc(s.OpenJobs, func(number int64) bool {
		return !slices.ContainsFunc(d.in.Jobs, func(j Job) bool { return j.Sequence == number })
	})
	d.ledger.changed = d.ledger.changed || len(s.OpenJobs) != before
}

// room tells whether another pull Job fits beside those there are.
func (d *nodePlan) room() bool {
	return !d.alone && d.pulls < max(1, d.in.Options.PullsPerNode)
}

// flying tells whether a Job that is not recorded yet pulls the image.
func (d *nodePlan) flying(key Key) bool {
	return d.pulls > 0 && slices.ContainsFunc(d.in.Jobs, func(j Job) bool {
		return j.Identity == key.Identity && slices.Contains(j.Images, key.Image) &&
			!isRecorded(&d.in.Record.NodeCacheStatus, j.Sequence)
	})
}

// ending tells whether a recorded Job is about to end by itself.
func (d *nodePlan) ending(j *Job) bool {
	if !j.PodRunning || j.Deleting || j.Gone {
		return false
	}
	for i, image := range j.Images {
		rec := d.ledger.get(Key{image, j.Identity})
		if rec == nil || j.Attempt.Images[i].Kind != outcome.Pulled || d.in.Now.Sub(rec.Time.Time) >= endGrace {
			return false
		}
	}
	return true
}

// judge looks at a Job that is not recorded yet.
func (d *nodePlan) judge(j *Job) {
	if j.Kind == JobVerify || j.Kind == JobRemove {
		d.judgeShort(j)
		return
	}
	switch slow := d.slow(j); {
	case j.Attempt.Settled:
		d.record(j, j.Attempt)
	case j.Deleting || j.Gone:
		d.notef("Job %d is going: wait", j.Sequence)
	case d.unwanted(j):
		d.notef("Job %d: nobody wants its images any more", j.Sequence)
		d.record(j, j.Attempt)
	case d.expired(j):
		d.expire(j)
	case slow >= 0:
		d.setAside(j, slow)
	default:
		d.tellEarly(j)
	}
}
