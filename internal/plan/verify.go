package plan

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

const (
	// verifiesPerJob is how many images one container verifies together: a
	// kubelet looks each up in milliseconds and pulls nothing.
	verifiesPerJob = 50
	// verifyDeadline is the share of one image in the time a verification may take.
	verifyDeadline = 10 * time.Second
	// defaultListLimit is how many images a node reports unless its kubelet is
	// told otherwise (KUBE/pkg/kubelet/apis/config/v1beta1, nodeStatusMaxImages).
	defaultListLimit = 50
	// hintAge is how old a record must be before the node's own list can
	// contradict it: the list is up to 40 s old.
	hintAge = time.Minute
	// Waits before an image that keeps vanishing is pulled again; the first
	// time it is at once.
	vanishedFirst = 10 * time.Second
	vanishedMost  = time.Hour
)

// markVerification marks the images a Job has to look for, because they may
// have vanished: the machine started anew, the kubelet was short of disk, the
// node's own list says so, or simply a day has passed.
func (d *nodePlan) markVerification() {
	s := &d.ledger.status
	d.forgetListLimit()
	why := ""
	switch {
	case s.BootID != "" && d.in.Node.BootID != "" && s.BootID != d.in.Node.BootID:
		why = "the machine has started anew"
	case s.DiskPressure && !d.in.Node.DiskPressure:
		why = "disk pressure has ended"
	case s.DiskPressure != d.in.Node.DiskPressure:
		d.ledger.changed = true // write remembers it
	}
	if why != "" {
		d.ledger.changed = true
		d.verifyAll(why, false)
		return
	}
	if d.intervalOver() {
		d.verifyAll("the last verification was long ago", true)
	}
	d.followHints()
}

// intervalOver tells whether the next regular verification is due.
func (d *nodePlan) intervalOver() bool {
	every, last := d.in.Options.VerifyInterval, d.ledger.status.Verified
	if every <= 0 || last == nil || d.ledger.status.Cached == 0 {
		return false
	}
	wait := last.Add(jitter(every, string(d.in.Node.UID)+last.UTC().Format(time.RFC3339))).Sub(d.in.Now)
	if wait > 0 {
		d.lookAgain(wait)
	}
	return wait <= 0
}

// verifyAll marks every image that is there. The node's own list may speak for
// an image when nothing says that it is out of date.
func (d *nodePlan) verifyAll(why string, trustList bool) {
	d.notef("verify the images: %s", why)
	d.ledger.status.Verified = &metav1.Time{Time: d.in.Now}
	d.ledger.changed = true
	for i := range d.ledger.status.Images {
		rec := &d.ledger.status.Images[i]
		if _, listed := d.in.Node.Reported[rec.Image]; !trustList || !listed {
			d.markVerify(rec)
		}
	}
}

func (d *nodePlan) markVerify(rec *v1alpha2.ImageRecord) {
	_, wanted := d.wanted[Key{rec.Image, rec.Identity}]
	if wanted && rec.State == v1alpha2.ImageStateCached && rec.Due == "" {
		rec.Due = v1alpha2.DueVerify
		d.ledger.changed = true
	}
}

// followHints marks the images that the node's own list lacks, where the list
// is not cut and recent enough to mean something.
func (d *nodePlan) followHints() {
	if d.in.Node.Unavailable != "" || d.listCut() {
		return
	}
	for i := range d.ledger.status.Images {
		rec := &d.ledger.status.Images[i]
		_, listed := d.in.Node.Reported[rec.Image]
		if listed || rec.State != v1alpha2.ImageStateCached {
			continue
		}
		if wait := rec.Time.Add(hintAge).Sub(d.in.Now); wait > 0 {
			d.lookAgain(wait)
			continue
		}
		d.markVerify(rec)
	}
}

// listCut tells whether the node's list may leave images out.
func (d *nodePlan) listCut() bool {
	limit := defaultListLimit
	if learned := d.ledger.status.ListLimit; learned != nil {
		limit = min(limit, int(*learned))
	}
	return d.in.Node.Listed >= limit
}

// noteVerified writes what a verification says of one image.
func (d *nodePlan) noteVerified(key Key, result outcome.Image) {
	rec := d.ledger.get(key)
	if rec == nil || rec.State != v1alpha2.ImageStateCached {
		return
	}
	switch result.Kind {
	case outcome.Pulled:
		rec.Vanished = 0
		if rec.Due == v1alpha2.DueVerify { // and not a pull that a refresh has asked for meanwhile
			rec.Due = ""
		}
		if d.dueOf(rec) != v1alpha2.DuePull { // else what failed was its pull
			rec.Attempts, rec.Reason, rec.Message = 0, "", ""
		}
		d.learnListLimit(rec)
		d.ledger.changed = true
	case outcome.Absent:
		rec.State, rec.Due, rec.Attempts = v1alpha2.ImageStateMissing, "", 0
		rec.Reason, rec.Message = v1alpha2.ReasonImageVanished, "a verification did not find the image on the node any more"
		rec.Vanished++
		rec.Time = metav1.NewTime(d.in.Now)
		d.ledger.changed = true
	case outcome.Failed:
		d.ledger.note(key, result, d.in.Now)
	}
}

// learnListLimit notes that the node's list leaves out an image that is there.
func (d *nodePlan) learnListLimit(rec *v1alpha2.ImageRecord) {
	_, listed := d.in.Node.Reported[rec.Image]
	if !listed && !d.listCut() && d.in.Now.Sub(rec.Time.Time) >= hintAge {
		d.ledger.status.ListLimit = ptr.To(int32(d.in.Node.Listed))
	}
}

// forgetListLimit drops a limit that a longer list proves wrong: the list that
// taught it came late.
func (d *nodePlan) forgetListLimit() {
	s := &d.ledger.status
	if s.ListLimit != nil && d.in.Node.Listed > int(*s.ListLimit) {
		s.ListLimit = nil
		d.ledger.changed = true
	}
}

// vanishedWait returns how long an image that vanished is left alone: one that
// the kubelet deletes again and again is not pulled again and again.
func (d *nodePlan) vanishedWait(rec *v1alpha2.ImageRecord) time.Duration {
	if rec.Vanished <= 1 {
		return 0
	}
	wait := doubled(vanishedFirst, vanishedMost, rec.Vanished-1)
	return rec.Time.Add(jitter(wait, string(d.in.Node.UID)+rec.Image)).Sub(d.in.Now)
}

// judgeShort looks at a verification or removal that is not recorded yet. They
// take seconds, so there is nothing to tell early and nothing to set aside.
func (d *nodePlan) judgeShort(j *Job) {
	switch {
	case j.Attempt.Settled:
		d.record(j, j.Attempt)
	case j.Deleting || j.Gone:
		d.notef("Job %d is going: wait", j.Sequence)
	case j.Kind == JobVerify && d.unwanted(j):
		d.notef("Job %d: nobody wants its images any more", j.Sequence)
		d.record(j, j.Attempt)
	case d.expired(j):
		attempt := j.Attempt
		attempt.Refused = &outcome.Refusal{Reason: "NotStarted", Message: "the kubelet did not finish the pod in time"}
		d.record(j, attempt)
	}
}

// remember notes what changes of the node are told by.
func (l *ledger) remember(node *Node, now time.Time) {
	s := &l.status
	if s.Verified == nil {
		s.Verified = &metav1.Time{Time: now}
	}
	if node.BootID != "" {
		s.BootID = node.BootID
	}
	s.DiskPressure = node.DiskPressure
}
