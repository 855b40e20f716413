package nodecache

import (
	"context"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/internal/jobs"
)

const (
	// createTimeout bounds a create request, so that one of a leader that has
	// just lost its lease cannot land after the next leader has counted.
	createTimeout = 4 * time.Second
	// reservationCheck is how often slots are compared with the API server.
	reservationCheck = 5 * time.Second
	// reservationAge is how old a slot is that should have been confirmed: the
	// read before a create and the create itself take up to createTimeout each.
	reservationAge = 10 * time.Second
)

// Start opens the Pacer and keeps it honest until ctx ends. It runs on the
// leader only.
func (p *Pacer) Start(ctx context.Context) error {
	if !sleep(ctx, createTimeout) {
		return nil
	}
	for !p.recount(ctx) {
		if !sleep(ctx, time.Second) {
			return nil
		}
	}
	for sleep(ctx, reservationCheck) {
		p.check(ctx, clock.Now())
	}
	return nil
}

// NeedLeaderElection makes the manager start it on the leader only.
func (p *Pacer) NeedLeaderElection() bool { return true }

// recount lists all Jobs with a quorum read and opens.
func (p *Pacer) recount(ctx context.Context) bool {
	var list batchv1.JobList
	if err := p.reader.List(ctx, &list, client.MatchingLabelsSelector{Selector: jobs.LabelSelector()}); err != nil {
		return false
	}
	p.mu.Lock()
	for i := range list.Items {
		job := &list.Items[i]
		key := client.ObjectKeyFromObject(job)
		if _, known := p.slots[key]; !known && !jobs.Finished(job) {
			s := slotOf(job)
			s.reserved = clock.Now()
			p.slots[key] = s
		}
	}
	p.open = true
	next := p.dispatch(clock.Now())
	p.mu.Unlock()
	p.wakeAll(next)
	return true
}

// check frees slots whose Job does not exist or has finished: a Job that came
// and went between two lists of the informer, a create whose answer was lost.
// And it passes on the turns that nobody took, and those of registries whose
// time to be left alone is over.
func (p *Pacer) check(ctx context.Context, now time.Time) {
	p.mu.Lock()
	next := p.dispatch(now)
	p.mu.Unlock()
	p.wakeAll(next)
	for _, key := range p.doubtful(now) {
		var job batchv1.Job
		switch err := p.reader.Get(ctx, key, &job); {
		case apierrors.IsNotFound(err), err == nil && jobs.Finished(&job):
			p.Release(key)
		case err == nil:
			p.Confirm(key, job.UID)
			p.saw(&job)
		}
	}
}

// doubtful returns the slots that no informer has confirmed for a while.
func (p *Pacer) doubtful(now time.Time) []types.NamespacedName {
	p.mu.Lock()
	defer p.mu.Unlock()
	var keys []types.NamespacedName
	for key, s := range p.slots {
		if !s.seen && now.Sub(s.reserved) > reservationAge {
			keys = append(keys, key)
		}
	}
	return keys
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-clock.After(d):
		return true
	}
}
