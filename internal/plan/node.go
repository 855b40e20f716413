package plan

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

const (
	// SlowPull is how long an image may be pulled before the other images that
	// its node waits for no longer wait for its Job.
	SlowPull = 10 * time.Second
	// pollInterval is how often a running Job is looked at without an event.
	pollInterval = 5 * time.Second
	// notStarted is how long a Job may wait for the kubelet to take its pod:
	// long, because a busy job controller makes pods late (about 3.5 a second).
	notStarted = 10 * time.Minute
	// notStartedAway is the same on a node that is not available.
	notStartedAway = time.Minute
	// endGrace is how long a recorded Job whose images are all there is left to
	// end by itself: its container exits in milliseconds, while a kubelet takes
	// one to two seconds to end a pod that is deleted, and the next Job waits.
	endGrace = 5 * time.Second
)

// Decide decides what should happen on one node now. Its steps, in order:
// a record of a replaced node is dropped; finished Jobs are recorded, and only
// what is recorded is deleted; claims follow the ImageCaches; when nothing of
// ours is left on the node the next Job is created.
//
// At most one write of the record comes out, and nothing after it: what
// follows from it is decided when it has been read back.
func Decide(in NodeInput) NodeDecision {
	if in.Record != nil && in.Record.NodeUID != in.Node.UID {
		return NodeDecision{
			Actions: []Action{DropRecord{in.Record.UID}},
			Notes:   []string{"the record is of a node that was replaced: dropped"},
		}
	}
	d := newNodePlan(in)
	if in.Record == nil {
		return d.begin()
	}
	d.settleJobs()
	d.followClaims()
	d.markVerification()
	if d.ledger.changed {
		return d.write()
	}
	d.nextJob()
	if !d.creating && (d.ledger.changed || d.ledger.count(d.wants)) {
		return d.write()
	}
	return d.decision
}

// nodePlan is one decision in the making.
type nodePlan struct {
	in       NodeInput
	wants    []Want
	wanted   map[Key]int
	caches   map[types.UID]*Cache
	ledger   *ledger
	decision NodeDecision
	// pulls is the number of pull Jobs that the kubelet may still work on, but
	// for the slow one; alone means that it may work on another Job of ours.
	pulls int
	alone bool
	// slowJob is the Job that was left to its slow image and still runs.
	slowJob *Job
	// spent are the pull Jobs that have brought all their images and still end.
	spent    []*Job
	creating bool
	// registries are those asked about, with when they may be asked for images.
	registries map[string]time.Time
}

func newNodePlan(in NodeInput) *nodePlan {
	d := &nodePlan{in: in, caches: byUID(in.Caches), registries: map[string]time.Time{}}
	d.wants, d.wanted = indexedWants(&in.Node, in.Caches)
	if in.Record != nil {
		d.ledger = newLedger(in.Record.NodeCacheStatus)
	} else {
		d.ledger = newLedger(v1alpha2.NodeCacheStatus{NodeUID: in.Node.UID})
	}
	return d
}

// begin creates the record of a node that is wanted for the first time. Jobs
// without a record cannot be accounted for and go.
func (d *nodePlan) begin() NodeDecision {
	for i := range d.in.Jobs {
		d.deleteJob(&d.in.Jobs[i], "there is no record of its node")
	}
	if len(d.wants) > 0 {
		return d.write()
	}
	return d.decision
}

// write ends the decision with the record as it now is.
func (d *nodePlan) write() NodeDecision {
	d.syncGenerations()
	d.ledger.describe(d.in.Node.Reported)
	d.ledger.remember(&d.in.Node, d.in.Now)
	d.ledger.count(d.wants)
	d.act(WriteRecord{d.ledger.sorted()})
	return d.decision
}

func (d *nodePlan) act(a Action) { d.decision.Actions = append(d.decision.Actions, a) }

func (d *nodePlan) notef(format string, args ...any) {
	d.decision.Notes = append(d.decision.Notes, fmt.Sprintf(format, args...))
}

// lookAgain asks for another look after wait at the latest.
func (d *nodePlan) lookAgain(wait time.Duration) {
	wait = max(wait, 100*time.Millisecond)
	if d.decision.RequeueAfter == 0 || wait < d.decision.RequeueAfter {
		d.decision.RequeueAfter = wait
	}
}

func (d *nodePlan) deleteJob(j *Job, why string) {
	if j.Deleting || j.Gone {
		return
	}
	d.notef("delete Job %d: %s", j.Sequence, why)
	d.act(DeleteJob{Namespace: j.Namespace, Name: j.Name, UID: j.UID, Foreground: j.podUnseen()})
}

// tellEarly notes the failures that events tell of while other images of the
// Job are still being pulled; when it is settled they are not counted again.
func (d *nodePlan) tellEarly(j *Job) {
	for i, image := range j.Images {
		key := Key{image, j.Identity}
		failure, fails := j.Attempt.Failing[i]
		if _, wanted := d.wanted[key]; fails && wanted && d.ledger.get(key) == nil {
			d.notef("Job %d: %s fails, %s", j.Sequence, key.Image, failure.Reason)
			d.ledger.note(key, failure, d.in.Now)
		}
	}
}

// told tells whether a failure of this Job is recorded already.
func (d *nodePlan) told(key Key, j *Job) bool {
	rec := d.ledger.get(key)
	return rec != nil && rec.State == v1alpha2.ImageStateFailed && rec.Time.After(j.Created)
}

// record notes what is decided of a Job and closes it.
func (d *nodePlan) record(j *Job, attempt outcome.Attempt) {
	for i, result := range attempt.Images {
		key := Key{j.Images[i], j.Identity}
		if result.Kind == outcome.Failed && d.told(key, j) {
			continue
		}
		d.noteResult(j, i, result)
		if result.Kind != outcome.NotTried && result.Kind != outcome.Undecided {
			d.notef("Job %d: %s %s %s", j.Sequence, j.Images[i], result.Kind, result.Reason)
		}
	}
	d.closeJob(j, attempt)
}

// noteResult notes the outcome of one image of a Job.
func (d *nodePlan) noteResult(j *Job, i int, result outcome.Image) {
	key := Key{j.Images[i], j.Identity}
	switch j.Kind {
	case JobRemove:
		d.ledger.noteRemoval(key.Image, result, d.in.Now)
	case JobVerify:
		d.noteVerified(key, result)
	default:
		d.ledger.note(key, result, d.in.Now)
		d.hold(key, j)
	}
}

// closeJob notes that a Job is recorded, and whether its node takes pods.
func (d *nodePlan) closeJob(j *Job, attempt outcome.Attempt) {
	if attempt.Refused != nil {
		d.notef("Job %d: the kubelet refused the pod: %s", j.Sequence, attempt.Refused.Reason)
		d.ledger.refuse(attempt.Refused, d.in.Now)
	} else if !attempt.Started.IsZero() {
		d.ledger.accept()
	}
	d.ledger.close(j.Sequence, d.openNumbers())
}

// hold gives the record of an image that nobody wants any more the claim of
// the Job's owner, so that it is known whose leftover it is. A kubelet goes on
// with a pull that it has begun, so an image may come though its Job is over.
func (d *nodePlan) hold(key Key, j *Job) {
	cache := d.caches[j.Owner]
	if _, wanted := d.wanted[key]; wanted || cache == nil {
		return // followClaims does it; or the ImageCache is gone and the image stays
	}
	rec := d.ledger.get(key)
	if rec == nil && j.Attempt.Refused == nil {
		rec = d.ledger.put(key)
		rec.State, rec.Time = v1alpha2.ImageStateDeferred, metav1.NewTime(d.in.Now)
	}
	if rec == nil {
		return
	}
	claim := d.ledger.claimOf(cache)
	if !slices.Contains(rec.Claims, claim.ID) {
		rec.Claims = append(rec.Claims, claim.ID)
		d.ledger.changed = true
	}
	if j.Selectors == cache.Selectors {
		claim.Selectors = cache.Selectors // it may be of before an edit, when the node was selected by others
	}
	if edited := j.Selectors != cache.Selectors; edited && !cache.Deleting && len(rec.Claims) == 1 {
		d.condemn(rec, rec.Claims) // the claim knows the selectors of now only
	}
}

func (d *nodePlan) unwanted(j *Job) bool {
	return !slices.ContainsFunc(j.Images, func(image string) bool {
		_, wanted := d.wanted[Key{image, j.Identity}]
		return wanted
	})
}

// undecided returns the indexes of the images a Job has not settled.
func undecided(j *Job) []int {
	var open []int
	for i := range j.Attempt.Images {
		if j.Attempt.Images[i].Kind == outcome.Undecided {
			open = append(open, i)
		}
	}
	return open
}

// deadline returns when a Job's time is up. The clock of an image runs from
// the kubelet's word that it began; without that word, each undecided image
// has its share from the pod's start. The kubelet may say so and then wait for
// another pull of ours, so an outcome since then starts the clock anew.
func (d *nodePlan) deadline(j *Job) time.Time {
	share, began := j.Deadline, j.Attempt.Started
	if p := j.Attempt.Pulling; p != nil {
		began = p.Since
	} else {
		share *= time.Duration(max(1, len(undecided(j))))
	}
	if j.Sequence != d.ledger.status.SlowJob {
		began = d.lastOutcome(began)
	}
	return began.Add(share)
}

// lastOutcome returns when the last outcome of this node was noted, if that
// was after since.
func (d *nodePlan) lastOutcome(since time.Time) time.Time {
	for i := range d.ledger.status.Images {
		if at := d.ledger.status.Images[i].Time.Time; at.After(since) {
			since = at
		}
	}
	return since
}

// expired tells whether a Job's time is up. Beside a slow pull it is not:
// kubelets that pull one image at a time let the Job wait for it.
func (d *nodePlan) expired(j *Job) bool {
	if !j.Attempt.Started.IsZero() {
		waits := d.ledger.status.SlowJob != 0 && d.ledger.status.SlowJob != j.Sequence
		return !waits && !d.in.Now.Before(d.deadline(j))
	}
	limit := notStarted
	if d.in.Node.Unavailable != "" {
		limit = notStartedAway
	}
	return d.in.Now.Sub(j.Created) >= limit
}

// expire records a Job whose time is up. Which image is to blame is known
// from the events or when only one is open; else each goes alone next time.
func (d *nodePlan) expire(j *Job) {
	attempt := j.Attempt
	attempt.Images = slices.Clone(attempt.Images)
	open := undecided(j)
	switch {
	case attempt.Started.IsZero() || d.in.Node.Unavailable != "":
		attempt.Refused = &outcome.Refusal{Reason: "NotStarted", Message: "the kubelet did not finish the pod in time"}
	case attempt.Pulling != nil:
		attempt.Images[attempt.Pulling.Index] = tooLate(j.Deadline)
	case len(open) == 1:
		attempt.Images[open[0]] = tooLate(j.Deadline)
	default:
		for _, i := range open {
			if key := (Key{j.Images[i], j.Identity}); d.ledger.get(key) == nil {
				d.ledger.deferImage(key, d.in.Now)
			}
		}
	}
	d.record(j, attempt)
}

func tooLate(limit time.Duration) outcome.Image {
	return outcome.Image{
		Kind: outcome.Failed, Reason: v1alpha2.ReasonPullDeadlineExceeded,
		Message: fmt.Sprintf("the image was not pulled within %s", limit),
	}
}
