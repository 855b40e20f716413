package observe

import (
	"sync"

	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// Sizes learns the sizes of images from what nodes report, so that a node
// that has never pulled an image knows what to expect. It is a hint, rebuilt
// from the nodes at any time.
type Sizes struct {
	mu    sync.RWMutex
	bytes map[string]int64
}

// maxSizes bounds the memory of Sizes: 50 images of each of many clusters'
// worth of versions; beyond it, it starts anew.
const maxSizes = 50_000

// Learn takes in what one node reports.
func (s *Sizes) Learn(reported map[string]plan.Reported) {
	if s.knows(reported) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes == nil || len(s.bytes) > maxSizes {
		s.bytes = map[string]int64{}
	}
	for ref, r := range reported {
		if r.SizeBytes > 0 {
			s.bytes[ref] = r.SizeBytes
		}
	}
}

// knows tells that a node reports nothing new: many report the same.
func (s *Sizes) knows(reported map[string]plan.Reported) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for ref, r := range reported {
		if r.SizeBytes > 0 && s.bytes[ref] != r.SizeBytes {
			return false
		}
	}
	return true
}

// Of returns the size in bytes that a node told of the image.
func (s *Sizes) Of(ref string) (int64, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	size, known := s.bytes[ref]
	return size, known
}
