package plan

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// NodeView is what one node contributes to the status of an ImageCache.
type NodeView struct {
	Node *Node
	// Record is the node's NodeCache; nil while there is none.
	Record *v1alpha2.NodeCacheStatus
	// InFlight holds the images that unfinished Jobs are pulling there.
	InFlight map[Key]bool
	// Pulls are the numbers of the pull Jobs of this ImageCache that are there.
	Pulls []int64
}

// CacheInput is all that Status looks at: one ImageCache as one reconcile saw it.
type CacheInput struct {
	Now   time.Time
	Cache *Cache
	// Previous is the status as it was read.
	Previous v1alpha2.ImageCacheStatus
	// Nodes are all nodes that a list selects or whose record holds a claim of
	// the ImageCache, sorted by name.
	Nodes []NodeView
	// SpecErrors are errors of the spec that the API server let through.
	SpecErrors []string
	// Deleted is when the deletion was asked for; zero when it was not.
	Deleted time.Time
	// NamespaceGoing is true when the namespace is being deleted.
	NamespaceGoing bool
}

// Event is a Kubernetes Event to emit once the status has landed.
type Event struct {
	Warning         bool
	Reason, Message string
}

// CacheDecision is what is true of one ImageCache now.
type CacheDecision struct {
	Status v1alpha2.ImageCacheStatus
	Events []Event
	// Served is true when all nodes that can have carried out the operation
	// that was accepted last.
	Served bool
	// Released is true when an ImageCache that is being deleted with its images
	// needs not be held any more.
	Released bool
	// Parting is to be told when it is let go; nil when all is done.
	Parting *Event
	// RequeueAfter is when to look again though nothing changed; 0 means never.
	RequeueAfter time.Duration
}

// Status says what is true of one ImageCache: only what the records of its
// nodes hold.
func Status(in CacheInput) CacheDecision {
	t := tallyNodes(in)
	s := v1alpha2.ImageCacheStatus{
		ObservedGeneration: in.Cache.Generation,
		PairCounts:         t.total,
		Nodes:              t.nodes,
		Removing:           t.removals.left,
		Progress:           fmt.Sprintf("%d/%d", t.total.Cached, t.total.Desired),
	}
	s.Failures, s.FailuresOmitted = t.boundedFailures()
	s.Images, s.ImagesOmitted = t.boundedImages()
	s.LastOperation = lastOperation(in, t)
	s.Status = word(t, in.Cache, operating(in.Cache, s.LastOperation))
	begins := setOperation(&s, in)
	s.Message = message(&s, in.Cache)
	s.Conditions = conditions(in, t, &s)
	d := CacheDecision{Status: s, Events: events(in, &s, t, begins)}
	d.Served = s.LastOperation == nil || s.LastOperation.CompletionTime != nil || t.work.nodes == t.work.served
	d.Released, d.RequeueAfter = release(in, t)
	if left := t.removals.left; d.Released && left > 0 {
		d.Parting = &Event{Warning: true, Reason: s.Reason, Message: fmt.Sprintf(
			"The ImageCache is let go while %d images are still to be removed%s", left, purgeWords(t))}
	}
	return d
}

// word returns the original's word for the state of the pairs. Pairs on nodes
// that wait do not hold it in Processing, unless nothing else has been done.
func word(t *tally, cache *Cache, operating bool) v1alpha2.ImageCacheActionStatus {
	c := t.total
	pulls := !cache.Suspend && c.Pulling+c.Pending > 0
	wanting := !cache.Purged() && c.Desired > 0
	switch {
	case pulls, t.removals.due > 0, operating, cache.Purging && !t.work.done():
		return v1alpha2.ImageCacheActionStatusProcessing
	case c.Failed > 0, t.removals.failures.total > 0:
		return v1alpha2.ImageCacheActionStatusFailed
	case wanting && c.Cached == 0:
		return v1alpha2.ImageCacheActionStatusProcessing
	case wanting, cache.Purged() && t.nodes.Selected > 0:
		return v1alpha2.ImageCacheActionStatusSucceeded
	default:
		return v1alpha2.ImageCacheActionStatusNoImagesPulledOrDeleted
	}
}

func settled(w v1alpha2.ImageCacheActionStatus) bool {
	return w != v1alpha2.ImageCacheActionStatusProcessing
}

func message(s *v1alpha2.ImageCacheStatus, cache *Cache) string {
	switch s.Status {
	case v1alpha2.ImageCacheActionStatusSucceeded:
		if cache.Purged() {
			return v1alpha2.MessageImagesDeleted
		}
		return v1alpha2.MessageImagesPulled
	case v1alpha2.ImageCacheActionStatusFailed:
		if s.Failed == 0 {
			return v1alpha2.MessageImageDeletionFailed
		}
		return v1alpha2.MessageImagePullFailed
	case v1alpha2.ImageCacheActionStatusNoImagesPulledOrDeleted:
		return v1alpha2.MessageNoNodesMatched
	}
	switch s.Reason {
	case v1alpha2.ImageCacheReasonPurge:
		return v1alpha2.MessagePurgingCache
	case v1alpha2.ImageCacheReasonRefresh:
		return v1alpha2.MessageRefreshingCache
	case v1alpha2.ImageCacheReasonUpdate:
		return v1alpha2.MessageUpdatingCache
	default:
		return v1alpha2.MessagePullingImages
	}
}

// events tells of a change of the word to a settled one, as the original does,
// and of each operation once.
func events(in CacheInput, s *v1alpha2.ImageCacheStatus, t *tally, begins bool) []Event {
	if !begins && in.Previous.Status == s.Status || !settled(s.Status) {
		return nil
	}
	text := fmt.Sprintf("%s (%s pairs cached)", s.Message, s.Progress)
	if in.Cache.Purged() {
		text = s.Message + purgeWords(t)
	}
	return []Event{{
		Warning: s.Status == v1alpha2.ImageCacheActionStatusFailed,
		Reason:  s.Reason, Message: text,
	}}
}

// setTimes says when the operation began and when it was done.
func setTimes(s *v1alpha2.ImageCacheStatus, in CacheInput, begins bool) {
	prev, now := in.Previous, metav1.NewTime(in.Now.Truncate(time.Second))
	s.StartTime = prev.StartTime
	if begins || s.StartTime == nil {
		s.StartTime = began(in, now)
	}
	if !settled(s.Status) {
		return
	}
	s.CompletionTime = &now
	if !begins && prev.Status == s.Status && prev.CompletionTime != nil {
		s.CompletionTime = prev.CompletionTime
	}
}
