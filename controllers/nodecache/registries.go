package nodecache

import (
	"sync"
	"time"

	toolscache "k8s.io/client-go/tools/cache"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/reference"
)

// Registries knows which registries are to be left alone for a while, because
// they answer 429 or 5xx or cannot be reached. It is fed with the records of
// all nodes and nothing else, so a restarted controller knows the same.
type Registries struct {
	mu     sync.Mutex
	byHost map[string]*registry
}

// registry is what is known of one registry.
type registry struct {
	// answered is when it was last seen to serve any node.
	answered time.Time
	// failing holds the news of the nodes that have trouble with it.
	failing map[string]news
	verdict verdict
}

// NewRegistries returns Registries that have heard nothing.
func NewRegistries() *Registries { return &Registries{byHost: map[string]*registry{}} }

// Handler feeds the Registries from the NodeCache informer.
func (r *Registries) Handler() toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    r.saw,
		UpdateFunc: func(_, obj any) { r.saw(obj) },
		DeleteFunc: func(obj any) {
			if lost, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
				obj = lost.Obj
			}
			if cache, ok := obj.(*v1alpha2.NodeCache); ok {
				r.learn(cache.Name, nil)
			}
		},
	}
}

func (r *Registries) saw(obj any) {
	if cache, ok := obj.(*v1alpha2.NodeCache); ok {
		r.learn(cache.Name, cache.Status.Images)
	}
}

// learn takes in what the record of a node says of the registries.
func (r *Registries) learn(node string, records []v1alpha2.ImageRecord) {
	found := gather(records)
	r.mu.Lock()
	defer r.mu.Unlock()
	for host := range found {
		if r.byHost[host] == nil {
			r.byHost[host] = &registry{failing: map[string]news{}}
		}
	}
	for host, known := range r.byHost {
		known.learn(host, node, found[host])
	}
}

func (k *registry) learn(host, node string, n news) {
	if n.answered.After(k.answered) {
		k.answered = n.answered
	}
	if len(n.failures) > 0 {
		k.failing[node] = n
	} else {
		delete(k.failing, node)
	}
	if len(k.failing) > 0 || k.verdict.probing {
		k.verdict = judge(host, k.answered, k.failing).after(k.verdict)
	}
}

// ClosedUntil returns until when a node must not ask a registry; a time that
// has passed, or none, when it may.
func (r *Registries) ClosedUntil(host, node string) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.byHost[host]
	if known == nil {
		return time.Time{}
	}
	own := judgeOwn(host, known.failing[node]).until
	if known.verdict.until.After(own) {
		return known.verdict.until
	}
	return own
}

// Trouble returns when a registry was last seen in trouble, if it has not
// served since: one Job is to find out whether that has passed before others
// follow.
func (r *Registries) Trouble(host string) (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.byHost[host]
	if known == nil || !known.verdict.probing {
		return time.Time{}, false
	}
	return known.verdict.last, true
}

// news is what one node's record says of one registry.
type news struct {
	// answered is when the registry was last seen to serve, also by saying
	// that it does not have an image.
	answered time.Time
	// failures are the images whose last try failed because of the registry.
	failures []failure
}

type failure struct {
	at time.Time
	// attempts is how often in a row the image has failed.
	attempts int32
	// throttled means that the registry said so; else it was out of reach,
	// which may be the node's own trouble.
	throttled bool
}

// gather reads a node's record, by registry.
func gather(records []v1alpha2.ImageRecord) map[string]news {
	var found map[string]news
	for i := range records {
		rec := &records[i]
		ok, bad := serves(rec), fails(rec)
		if !ok && !bad {
			continue
		}
		if found == nil {
			found = map[string]news{}
		}
		host := reference.Registry(rec.Image)
		n := found[host]
		switch {
		case bad:
			n.failures = append(n.failures, failure{rec.Time.Time, rec.Attempts, rec.Reason == v1alpha2.ReasonRegistryThrottled})
		case rec.Time.After(n.answered):
			n.answered = rec.Time.Time
		}
		found[host] = n
	}
	return found
}

// fails tells a record whose last try failed because of the registry.
func fails(rec *v1alpha2.ImageRecord) bool {
	return rec.State != v1alpha2.ImageStateRemoving &&
		(rec.Reason == v1alpha2.ReasonRegistryThrottled || rec.Reason == v1alpha2.ReasonRegistryUnavailable)
}

// serves tells a record whose last try has shown the registry to serve.
func serves(rec *v1alpha2.ImageRecord) bool {
	switch rec.State {
	case v1alpha2.ImageStateCached:
		if rec.Reason == "" {
			return true
		}
	case v1alpha2.ImageStateFailed:
	default:
		return false
	}
	switch rec.Reason {
	case v1alpha2.ReasonImageNotFound, v1alpha2.ReasonUnauthorized,
		v1alpha2.ReasonPullSecretMissing, v1alpha2.ReasonPlatformMismatch:
		return true
	}
	return false
}
