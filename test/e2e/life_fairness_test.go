//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// With one Job in the cluster at a time, an ImageCache with one image does not
// wait for the sixty of another one. Finished Jobs stay for a look, for as long
// as was said.
func TestFairness(t *testing.T) {
	w := newWorld(t, "fair")
	log := w.watchJobs()
	w.configure(func(d *appsv1.Deployment) {
		for _, flag := range []string{"--jobs-max-surge=1", "--job-retention-policy=retain", "--job-retention-ttl=1m"} {
			withFlag(flag)(d)
		}
	})
	var many []string
	for i := range 60 {
		many = append(many, w.push(fmt.Sprintf("many-%d", i), "1KB"))
	}
	one := w.push("one", "1KB")
	unfinished := w.watchUnfinished()
	large, small := w.cache("large", many), w.cache("small", []string{one})
	took := w.awaitWord(small, v1alpha2.ImageCacheActionStatusSucceeded, 60*time.Second)
	w.check(cluster.API.Get(w.ctx, client.ObjectKeyFromObject(large), large))
	t.Logf("one image was cached after %s, with %s of the others", took, large.Status.Progress)
	if large.Status.Status != v1alpha2.ImageCacheActionStatusProcessing {
		t.Errorf("the large ImageCache was first: %s", describe(&large.Status))
	}
	// One of the two Jobs had finished before the other could begin, so it has
	// been there for a while.
	jobs := []*batchv1.Job{w.retained(log.with(pulls, plainNode, one)), w.retained(log.with(pulls, backendNode, one))}
	w.holds(plainNode, one)
	w.holds(backendNode, one)
	if full() {
		t.Logf("the others %s later", w.awaitWord(large, v1alpha2.ImageCacheActionStatusSucceeded, 3*time.Minute))
		w.holds(plainNode, many...)
		w.holds(backendNode, many...)
		for _, job := range jobs {
			w.awaitGone(job, 2*time.Minute)
		}
	}
	if most := unfinished(); most != 1 {
		t.Errorf("%d Jobs were unfinished at once, the cap is 1", most)
	}
}

// watchUnfinished returns a function that tells how many unfinished Jobs there
// were at once at most. A Job that is being deleted counts until it is gone.
func (w *world) watchUnfinished() func() int {
	w.Helper()
	watch, err := cluster.API.Watch(w.ctx, &batchv1.JobList{}, client.MatchingLabels{v1alpha2.LabelComponent: v1alpha2.LabelComponentValue})
	w.check(err)
	most, done := 0, make(chan struct{})
	go func() {
		defer close(done)
		open := map[string]bool{}
		for event := range watch.ResultChan() {
			job, ok := event.Object.(*batchv1.Job)
			if !ok {
				continue
			}
			open[job.Name] = true
			if event.Type == "DELETED" || job.Status.CompletionTime != nil || job.Status.Failed > 0 {
				delete(open, job.Name)
			}
			most = max(most, len(open))
		}
	}()
	return func() int {
		watch.Stop()
		<-done
		return most
	}
}

// retained checks that the Job that pulled on one node stays when it has
// finished, with a time to live.
func (w *world) retained(seen []*batchv1.Job) *batchv1.Job {
	w.Helper()
	if len(seen) != 1 {
		w.Fatalf("%d Jobs pulled the one image, want 1", len(seen))
	}
	job := seen[0]
	w.check(lab.Poll(w.ctx, job.Name+" finished", 10*time.Second, func(ctx context.Context) (bool, string) {
		err := cluster.API.Get(ctx, client.ObjectKeyFromObject(job), job)
		return err == nil && job.Status.CompletionTime != nil, fmt.Sprintf("error %v, status %+v", err, job.Status)
	}))
	if ttl := job.Spec.TTLSecondsAfterFinished; ttl == nil || *ttl != 60 {
		w.Errorf("Job %s: %+v", job.Name, job.Spec)
	}
	return job
}
