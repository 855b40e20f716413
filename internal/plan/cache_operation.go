package plan

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

const (
	// purgePatience is how long a deletion waits for the images to go. By then
	// the nodes' records know what to remove, and go on without the object.
	purgePatience = 5 * time.Minute
	// deletionPatience is how long it waits for the records to know. After it
	// the images stay where they are: nothing may hold an object for ever.
	deletionPatience = 10 * time.Minute
)

// applies tells whether the operation accepted last is of this very spec: an
// edit ends a purge, and is what the status is about then.
func (c *Cache) applies() bool {
	return c.Operation.ID != 0 && c.Operation.Generation == c.Generation
}

// lastOperation says how far the operation accepted last is. Once all nodes
// have carried it out it is done, whatever comes: a verification next week is
// no part of it, nor is a node that joins.
func lastOperation(in CacheInput, t *tally) *v1alpha2.OperationStatus {
	op, prev := &in.Cache.Operation, in.Previous.LastOperation
	if op.ID == 0 {
		return nil
	}
	same := prev != nil && prev.ID == op.ID && prev.Kind == string(op.Kind)
	lifted := in.Cache.Purging || op.Kind == OperationPurge && !in.Cache.Purged()
	if same && (lifted || prev.CompletionTime != nil) {
		return prev
	}
	s := &v1alpha2.OperationStatus{Kind: string(op.Kind), ID: op.ID}
	if lifted {
		return s
	}
	s.Nodes, s.Served = t.work.nodes, t.work.served
	if t.work.done() {
		s.CompletionTime = &metav1.Time{Time: in.Now.Truncate(time.Second)}
	}
	return s
}

// operating tells whether a purge or refresh is under way.
func operating(cache *Cache, last *v1alpha2.OperationStatus) bool {
	if last == nil || last.CompletionTime != nil || cache.Purging {
		return false
	}
	return cache.Operation.Kind == OperationRefresh || cache.Purged()
}

// setOperation says which operation the status is about, and when it began and
// was done. It returns whether it begins with this status.
func setOperation(s *v1alpha2.ImageCacheStatus, in CacheInput) (begins bool) {
	prev := &in.Previous
	s.Reason = reasonOf(in)
	begins = s.Reason != prev.Reason || prev.ObservedGeneration != in.Cache.Generation || accepts(in)
	setTimes(s, in, begins)
	return begins
}

// accepts tells whether the operation accepted last is new to the status.
func accepts(in CacheInput) bool {
	last := in.Previous.LastOperation
	return in.Cache.applies() && (last == nil || last.ID != in.Cache.Operation.ID)
}

func reasonOf(in CacheInput) string {
	cache, prev := in.Cache, &in.Previous
	lifted := prev.Reason == v1alpha2.ImageCacheReasonPurge && !cache.Purged()
	switch {
	case cache.Purged():
		return v1alpha2.ImageCacheReasonPurge
	case cache.applies():
		return v1alpha2.ImageCacheReasonRefresh
	case prev.ObservedGeneration == cache.Generation && prev.Reason != "" && !lifted:
		return prev.Reason
	case prev.ObservedGeneration == 0:
		return v1alpha2.ImageCacheReasonCreate
	default:
		return v1alpha2.ImageCacheReasonUpdate
	}
}

// began returns when the operation began that begins with this status: an
// accepted one when it was accepted, if its time can be.
func began(in CacheInput, now metav1.Time) *metav1.Time {
	at := in.Cache.Operation.Time
	if accepts(in) && !at.IsZero() && at.Before(now.Time) {
		return &metav1.Time{Time: at.Truncate(time.Second)}
	}
	return &now
}

// release tells whether an ImageCache that is being deleted with its images
// needs not be held any more, and when else to look again.
func release(in CacheInput, t *tally) (bool, time.Duration) {
	if !in.Cache.Purging {
		return false, 0
	}
	age := in.Now.Sub(in.Deleted)
	known := t.removals.live == 0
	switch {
	case age >= deletionPatience:
		return true, 0
	case known && (in.NamespaceGoing || age >= purgePatience || t.work.nodes == t.work.served):
		return true, 0
	case age < purgePatience:
		return false, purgePatience - age
	default:
		return false, deletionPatience - age
	}
}
