package nodecache

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/jobs"
	"github.com/kubefledged/kubefledged-operator/internal/observe"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// IndexNode is the informer index of our Jobs and pods by the name of their node.
const IndexNode = "kubefledged.io/node"

// observed is one node as one reconcile saw it.
type observed struct {
	input plan.NodeInput
	// cache is the NodeCache as it was read; nil while there is none.
	cache *v1alpha2.NodeCache
	// damaged are Jobs of ours whose annotations cannot be read or believed.
	damaged []*batchv1.Job
}

// observe reads everything that decides about one node. What it reads is the
// informers' own, which is not changed: the planner's values are made of it,
// and a write goes out with a copy.
func (r *Reconciler) observe(ctx context.Context, node *corev1.Node) (*observed, error) {
	o := &observed{input: plan.NodeInput{
		Now:     clock.Now(),
		Node:    observe.Node(node, observe.Forced{Method: r.Options.PullMethod, Socket: r.Options.CRISocket}),
		Options: r.planOptions(),
	}}
	o.input.Options.RegistryOpen = func(host string) time.Time {
		slow := o.input.Record != nil && o.input.Record.SlowJob != 0
		return r.pacer.RegistryOpen(host, node.Name, slow, o.input.Now)
	}
	r.sizes.Learn(o.input.Node.Reported)
	var caches v1alpha2.ImageCacheList
	if err := r.Client.List(ctx, &caches, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list ImageCaches: %w", err)
	}
	o.input.Caches = r.Caches.Of(caches.Items)
	if err := r.readRecord(ctx, node.Name, o); err != nil {
		return nil, err
	}
	return o, r.readJobs(ctx, node.Name, o)
}

// planOptions returns the settings that decisions depend on.
func (r *Reconciler) planOptions() plan.Options {
	return plan.Options{
		ImagesPerJob:    r.Options.ImagesPerJob,
		Sizes:           r.sizes.Of,
		VerifyInterval:  r.Options.VerifyInterval,
		UnselectedGrace: r.Options.UnselectedGrace,
		RemovalDisabled: r.Options.RemovalDisabled,
		RetainJobs:      r.Options.RetainJobs,
		PullsPerNode:    r.Options.PullsPerNode,
	}
}

func (r *Reconciler) readRecord(ctx context.Context, name string, o *observed) error {
	var cache v1alpha2.NodeCache
	err := r.Client.Get(ctx, types.NamespacedName{Name: name}, &cache, client.UnsafeDisableDeepCopy)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("get NodeCache: %w", err)
	}
	o.cache = &cache
	o.input.Record = &plan.Record{UID: cache.UID, NodeCacheStatus: cache.Status}
	return nil
}

// readJobs reads our Jobs and pods of a node, and the events of those whose
// statuses do not tell enough.
func (r *Reconciler) readJobs(ctx context.Context, node string, o *observed) error {
	var list batchv1.JobList
	if err := r.Client.List(ctx, &list, client.MatchingFields{IndexNode: node}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list Jobs: %w", err)
	}
	var pods corev1.PodList
	if err := r.Client.List(ctx, &pods, client.MatchingFields{IndexNode: node}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list Pods: %w", err)
	}
	for _, view := range observe.Pair(list.Items, pods.Items) {
		job, err := observe.Job(view, r.Options.Jobs.HelperImage, o.input.Now)
		if err != nil || r.misplaced(&job) {
			o.setAside(view)
			continue
		}
		if job.Attempt.NeedEvents && view.Job != nil {
			r.events.add(ctx, &view)
			job, _ = observe.Job(view, r.Options.Jobs.HelperImage, o.input.Now)
		}
		o.input.Jobs = append(o.input.Jobs, job)
	}
	return nil
}

// misplaced tells whether a Job says that it removes images, and is not in the
// namespace for that: who may create Jobs elsewhere must not tell what is gone
// from a node. It may also be of a time with another --removal-namespace.
func (r *Reconciler) misplaced(job *plan.Job) bool {
	return job.Kind == plan.JobRemove && !job.Gone && job.Namespace != r.Options.Jobs.RemovalNamespace
}

// setAside keeps a Job whose annotations cannot be believed, to be deleted. A
// pod like that without a Job is not ours to judge.
func (o *observed) setAside(view observe.JobView) {
	if view.Job != nil {
		o.damaged = append(o.damaged, view.Job)
	}
}

// nodeOf is the index function of IndexNode.
func nodeOf(obj client.Object) []string {
	if node := jobs.NodeName(obj); node != "" {
		return []string{node}
	}
	return nil
}
