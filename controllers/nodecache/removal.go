package nodecache

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/observe"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// stillUnwanted tells whether nobody wants the images that a Job is to remove,
// by all ImageCaches there are and the labels the node has: read from the API
// server without a resource version, so that what somebody has just asked for
// is seen. An informer may be behind by any time, and what is removed is gone.
func (r *Reconciler) stillUnwanted(ctx context.Context, seen *observed, spec *plan.JobSpec) (bool, error) {
	var caches v1alpha2.ImageCacheList
	if err := r.Reader.List(ctx, &caches); err != nil {
		return false, fmt.Errorf("list ImageCaches before a removal: %w", err)
	}
	var node corev1.Node
	if err := r.Reader.Get(ctx, client.ObjectKey{Name: seen.input.Node.Name}, &node); err != nil {
		return false, fmt.Errorf("get Node before a removal: %w", err)
	}
	now := observe.NodeBrief(&node)
	return now.UID == seen.input.Node.UID && plan.StillUnwanted(&now, seen.input.Record.NodeCacheStatus, r.Caches.Of(caches.Items), spec,
		seen.input.Options, seen.input.Now), nil
}

// pauseTime is how long a node whose removal was called off waits before the
// next: the informers then have what the API server had, or are ill.
const pauseTime = time.Second

// pause remembers the nodes whose removal was called off a moment ago. A node
// is woken as soon as its slot is free, and would otherwise ask again at once
// until its informers have caught up. Losing it costs some requests.
type pause struct {
	mu    sync.Mutex
	until map[string]time.Time
}

// begin makes the node wait, and returns how long.
func (p *pause) begin(node string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until == nil {
		p.until = map[string]time.Time{}
	}
	p.until[node] = clock.Now().Add(pauseTime)
	return pauseTime
}

// left returns how long the node still waits; 0 when it does not.
func (p *pause) left(node string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait := p.until[node].Sub(clock.Now())
	if wait <= 0 {
		delete(p.until, node)
	}
	return max(0, wait)
}
