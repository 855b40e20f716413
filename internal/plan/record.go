package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

// ledger is a NodeCache's content in the making. Changes go to a copy; what
// was read stays as it was.
type ledger struct {
	status  v1alpha2.NodeCacheStatus
	index   map[Key]int
	changed bool
}

func newLedger(old v1alpha2.NodeCacheStatus) *ledger {
	l := &ledger{status: old}
	l.status.Claims, l.status.Images, l.status.OpenJobs = slices.Clone(old.Claims), slices.Clone(old.Images), slices.Clone(old.OpenJobs)
	for i := range l.status.Images {
		rec := &l.status.Images[i]
		rec.Claims = slices.Clip(rec.Claims) // they are never changed in place
	}
	l.reindex()
	return l
}

func (l *ledger) reindex() {
	l.index = make(map[Key]int, len(l.status.Images))
	for i := range l.status.Images {
		l.index[Key{l.status.Images[i].Image, l.status.Images[i].Identity}] = i
	}
}

// get returns the record of key, nil when there is none.
func (l *ledger) get(key Key) *v1alpha2.ImageRecord {
	if i, ok := l.index[key]; ok {
		return &l.status.Images[i]
	}
	return nil
}

// put returns the record of key, made when there is none.
func (l *ledger) put(key Key) *v1alpha2.ImageRecord {
	l.changed = true
	if rec := l.get(key); rec != nil {
		return rec
	}
	l.index[key] = len(l.status.Images)
	l.status.Images = append(l.status.Images, v1alpha2.ImageRecord{Image: key.Image, Identity: key.Identity})
	return &l.status.Images[len(l.status.Images)-1]
}

// note writes one image's outcome. NotTried leaves no trace.
func (l *ledger) note(key Key, result outcome.Image, now time.Time) {
	switch result.Kind {
	case outcome.Pulled:
		rec := l.put(key)
		rec.State, rec.Attempts, rec.Reason, rec.Message, rec.Due = v1alpha2.ImageStateCached, 0, "", "", ""
		rec.Digest = cmp.Or(result.Digest, rec.Digest)
		rec.Time = metav1.NewTime(now)
	case outcome.Failed:
		rec := l.put(key)
		if rec.State != v1alpha2.ImageStateCached {
			rec.State = v1alpha2.ImageStateFailed // one that is there stays so when its refresh fails
		}
		rec.Reason, rec.Message, rec.Due = result.Reason, result.Message, ""
		rec.Attempts++
		rec.Time = metav1.NewTime(now)
	}
}

// deferImage marks an image that the others of its node no longer wait for.
func (l *ledger) deferImage(key Key, now time.Time) {
	rec := l.put(key)
	rec.State, rec.Time = v1alpha2.ImageStateDeferred, metav1.NewTime(now)
}

// close marks the Job of this number as recorded; those of the open numbers
// that it overtakes are not.
func (l *ledger) close(sequence int64, open []int64) {
	s := &l.status
	if sequence <= s.Sequence {
		before := len(s.OpenJobs)
		s.OpenJobs = slices.DeleteFunc(s.OpenJobs, func(n int64) bool { return n == sequence })
		l.changed = l.changed || len(s.OpenJobs) != before
		return
	}
	for _, n := range open {
		if n > s.Sequence && n < sequence {
			s.OpenJobs = append(s.OpenJobs, n)
		}
	}
	s.Sequence = sequence
	l.changed = true
}

// refuse notes that the kubelet refused a pod; accept that it took one.
func (l *ledger) refuse(r *outcome.Refusal, now time.Time) {
	attempts := int32(1)
	if l.status.Wait != nil {
		attempts = l.status.Wait.Attempts + 1
	}
	wait := jitter(doubled(refusedFirst, refusedMost, attempts), string(l.status.NodeUID))
	l.status.Wait = &v1alpha2.NodeWait{
		Reason: r.Reason, Message: r.Message, Attempts: attempts,
		Until: metav1.NewTime(now.Add(wait)),
	}
	l.changed = true
}

func (l *ledger) accept() {
	if l.status.Wait != nil {
		l.status.Wait = nil
		l.changed = true
	}
}

// describe adds what the node reports of the images to records that are being
// written anyway; it is a hint that is not worth a write of its own.
func (l *ledger) describe(reported map[string]Reported) {
	for i := range l.status.Images {
		rec := &l.status.Images[i]
		if r, ok := reported[rec.Image]; ok && rec.State == v1alpha2.ImageStateCached {
			rec.Digest = cmp.Or(r.Digest, rec.Digest)
			rec.SizeBytes = cmp.Or(r.SizeBytes, rec.SizeBytes)
		}
	}
}

// count sets the counters and returns whether they changed.
func (l *ledger) count(wants []Want) bool {
	s := &l.status
	before := [4]int32{s.Cached, s.Failed, s.Waiting, s.Removing}
	s.Cached, s.Failed, s.Waiting, s.Removing = 0, 0, 0, 0
	for i := range s.Images {
		switch rec := &s.Images[i]; {
		case rec.State == v1alpha2.ImageStateCached:
			s.Cached++
		case rec.State == v1alpha2.ImageStateFailed:
			s.Failed++
		case rec.State == v1alpha2.ImageStateRemoving && rec.Reason != v1alpha2.ReasonImageShared:
			s.Removing++
		}
	}
	for i := range wants {
		if rec := l.get(wants[i].Key); rec == nil || notThereYet(rec.State) {
			s.Waiting++
		}
	}
	return before != [4]int32{s.Cached, s.Failed, s.Waiting, s.Removing}
}

// notThereYet tells states of an image that is neither there nor has failed.
func notThereYet(state v1alpha2.ImageState) bool {
	return state == v1alpha2.ImageStateDeferred || state == v1alpha2.ImageStateMissing
}

// sorted returns the content in a stable order and within its bounds.
func (l *ledger) sorted() v1alpha2.NodeCacheStatus {
	l.bound()
	slices.SortFunc(l.status.Images, func(a, b v1alpha2.ImageRecord) int {
		return cmp.Or(cmp.Compare(a.Image, b.Image), cmp.Compare(a.Identity, b.Identity))
	})
	l.reindex()
	return l.status
}

// drop removes the records that condemned returns true for.
func (l *ledger) drop(condemned func(*v1alpha2.ImageRecord) bool) {
	images := l.status.Images
	left := 0
	for i := range images { // slices.DeleteFunc would copy each record to the heap
		if condemned(&images[i]) {
			continue
		}
		if left < i {
			images[left] = images[i]
		}
		left++
	}
	if left == len(images) {
		return
	}
	clear(images[left:])
	l.status.Images, l.changed = images[:left], true
	l.reindex()
}

// claim returns the claim of the ImageCache with this uid, nil when there is none.
func (l *ledger) claim(uid types.UID) *v1alpha2.Claim {
	for i := range l.status.Claims {
		if l.status.Claims[i].UID == uid {
			return &l.status.Claims[i]
		}
	}
	return nil
}

// claimByID returns the claim with this id, nil when there is none.
func (l *ledger) claimByID(id int32) *v1alpha2.Claim {
	for i := range l.status.Claims {
		if l.status.Claims[i].ID == id {
			return &l.status.Claims[i]
		}
	}
	return nil
}

// pruneClaims drops the claims that no image refers to, but for those of
// ImageCaches that want something here.
func (l *ledger) pruneClaims(wants func(types.UID) bool) {
	used := map[int32]bool{}
	for i := range l.status.Images {
		for _, id := range l.status.Images[i].Claims {
			used[id] = true
		}
	}
	before := len(l.status.Claims)
	l.status.Claims = slices.DeleteFunc(l.status.Claims, func(c v1alpha2.Claim) bool { return !used[c.ID] && !wants(c.UID) })
	l.changed = l.changed || len(l.status.Claims) != before
}

// claimOf returns the claim of cache, made when there is none.
func (l *ledger) claimOf(cache *Cache) *v1alpha2.Claim {
	if c := l.claim(cache.UID); c != nil {
		return c
	}
	id := int32(1)
	for _, c := range l.status.Claims {
		id = max(id, c.ID+1)
	}
	l.changed = true
	l.status.Claims = append(l.status.Claims, v1alpha2.Claim{
		ID: id, Namespace: cache.Namespace, Name: cache.Name, UID: cache.UID, Generation: cache.Generation,
		Operation: cache.Operation.ID, Selectors: cache.Selectors,
	})
	return &l.status.Claims[len(l.status.Claims)-1]
}

// RefuseJob returns the record after the API server refused to create the
// Job: its images have failed with the server's words.
func RefuseJob(record v1alpha2.NodeCacheStatus, spec *JobSpec, why error, now time.Time) v1alpha2.NodeCacheStatus {
	l := newLedger(record)
	where := "the namespace of removals"
	if spec.Owner != nil {
		where = "namespace " + spec.Owner.Namespace
	}
	failure := outcome.Image{
		Kind: outcome.Failed, Reason: v1alpha2.ReasonJobNotCreated,
		Message: outcome.Clean(fmt.Sprintf("cannot create a Job in %s: %v", where, why)),
	}
	for i := range spec.Images {
		if spec.Kind == JobRemove {
			l.noteRemoval(spec.Images[i].Image, failure, now)
		} else {
			l.note(spec.Images[i].Key, failure, now)
		}
	}
	l.count(nil)
	return l.sorted()
}

// SkipSequence returns the record with the next Job number given up, because
// a Job that is not ours has the name that the number leads to.
func SkipSequence(record v1alpha2.NodeCacheStatus, sequence int64) v1alpha2.NodeCacheStatus {
	l := newLedger(record)
	var open []int64 // forgotten later where there is no such Job
	for n := record.Sequence + 1; n < sequence; n++ {
		open = append(open, n)
	}
	l.close(sequence, open)
	return l.sorted()
}
