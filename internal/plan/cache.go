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
}

// CacheInput is all that Status looks at: one ImageCache as one reconcile saw it.
type CacheInput struct {
	Now   time.Time
	Cache *Cache
	// Previous is the status as it was read.
	Previous v1alpha2.ImageCacheStatus
	// Nodes are all nodes of the cluster, sorted by name.
	Nodes []NodeView
	// SpecErrors are errors of the spec that the API server let through.
	SpecErrors []string
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
}

// Status says what is true of one ImageCache: only what the records of its
// nodes hold.
func Status(in CacheInput) CacheDecision {
	t := tallyNodes(in)
	s := v1alpha2.ImageCacheStatus{
		ObservedGeneration: in.Cache.Generation,
		PairCounts:         t.total,
		Nodes:              t.nodes,
		Progress:           fmt.Sprintf("%d/%d", t.total.Cached, t.total.Desired),
	}
	s.Failures, s.FailuresOmitted = t.boundedFailures()
	s.Images, s.ImagesOmitted = t.boundedImages()
	s.Status = word(t, in.Cache)
	setOperation(&s, in)
	s.Message = message(s.Status, s.Reason)
	s.Conditions = conditions(in, t, s.Status)
	return CacheDecision{Status: s, Events: events(in.Previous, s)}
}

// word returns the original's word for the state of the pairs. Pairs on nodes
// that wait do not hold it in Processing, unless nothing else has been done.
func word(t *tally, cache *Cache) v1alpha2.ImageCacheActionStatus {
	c := t.total
	switch {
	case c.Desired == 0:
		return v1alpha2.ImageCacheActionStatusNoImagesPulledOrDeleted
	case !cache.Suspend && c.Pulling+c.Pending > 0:
		return v1alpha2.ImageCacheActionStatusProcessing
	case c.Failed > 0:
		return v1alpha2.ImageCacheActionStatusFailed
	case c.Cached == 0:
		return v1alpha2.ImageCacheActionStatusProcessing
	default:
		return v1alpha2.ImageCacheActionStatusSucceeded
	}
}

func settled(w v1alpha2.ImageCacheActionStatus) bool {
	return w != v1alpha2.ImageCacheActionStatusProcessing
}

// setOperation says which operation the status is about, when it began and
// when it was done.
func setOperation(s *v1alpha2.ImageCacheStatus, in CacheInput) {
	prev, now := in.Previous, metav1.NewTime(in.Now.Truncate(time.Second))
	s.Reason, s.StartTime = prev.Reason, prev.StartTime
	begins := prev.ObservedGeneration != in.Cache.Generation
	if begins {
		s.Reason = v1alpha2.ImageCacheReasonUpdate
		if prev.ObservedGeneration == 0 {
			s.Reason = v1alpha2.ImageCacheReasonCreate
		}
	}
	if begins || s.StartTime == nil {
		s.StartTime = &now
	}
	if !settled(s.Status) {
		return
	}
	s.CompletionTime = &now
	if !begins && prev.Status == s.Status && prev.CompletionTime != nil {
		s.CompletionTime = prev.CompletionTime
	}
}

func message(w v1alpha2.ImageCacheActionStatus, reason string) string {
	switch {
	case w == v1alpha2.ImageCacheActionStatusSucceeded:
		return v1alpha2.MessageImagesPulled
	case w == v1alpha2.ImageCacheActionStatusFailed:
		return v1alpha2.MessageImagePullFailed
	case w == v1alpha2.ImageCacheActionStatusNoImagesPulledOrDeleted:
		return v1alpha2.MessageNoNodesMatched
	case reason == v1alpha2.ImageCacheReasonUpdate:
		return v1alpha2.MessageUpdatingCache
	default:
		return v1alpha2.MessagePullingImages
	}
}

// events tells of a change of the word to a settled one, as the original does.
func events(prev, s v1alpha2.ImageCacheStatus) []Event {
	same := prev.Status == s.Status && prev.ObservedGeneration == s.ObservedGeneration
	if same || !settled(s.Status) {
		return nil
	}
	return []Event{{
		Warning: s.Status == v1alpha2.ImageCacheActionStatusFailed,
		Reason:  s.Reason, Message: fmt.Sprintf("%s (%s pairs cached)", s.Message, s.Progress),
	}}
}
