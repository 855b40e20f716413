// Package nodecache is the loop with one key per node: it reads the node, its
// record and our Jobs there, lets the planner decide, and carries that out.
package nodecache

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kubefledged/kubefledged-operator/internal/jobs"
	"github.com/kubefledged/kubefledged-operator/internal/observe"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// Options are the settings of the node loop.
type Options struct {
	// ImagesPerJob is the largest number of images of one Job; 0 means auto.
	ImagesPerJob int
	// JobsMaxSurge caps unfinished Jobs in the cluster; 0 means one per node.
	JobsMaxSurge int
	// PullMethod forces a pull method; empty chooses by each node's versions.
	PullMethod plan.Method
	// JobsPerRegistry caps unfinished Jobs that pull from one registry; 0 for none.
	JobsPerRegistry int
	// PullsPerNode is how many pull Jobs a node may have at once; 0 means 1.
	PullsPerNode int
	// VerifyInterval is the time between two verifications of a node; 0 for none.
	VerifyInterval time.Duration
	// UnselectedGrace is how long a relabeled node keeps images it is not
	// selected for any more.
	UnselectedGrace time.Duration
	// RemovalDisabled leaves images on the nodes whatever happens.
	RemovalDisabled bool
	// RetainJobs keeps finished Jobs until their time to live has passed.
	RetainJobs bool
	// CRISocket is the path of the runtime's socket on every node; empty for
	// what each node's annotation or runtime says.
	CRISocket string
	// Jobs says how Jobs are built.
	Jobs jobs.Options
	// Workers is the number of nodes looked at side by side.
	Workers int
}

// Reconciler carries out what the planner decides for each node.
type Reconciler struct {
	Client client.Client
	// Reader reads from the API server, past the informer cache.
	Reader  client.Reader
	Caches  *observe.Caches
	Options Options

	pacer     *Pacer
	events    *eventReader
	sizes     observe.Sizes
	calledOff pause
}

// Reconcile decides about one node and carries it out.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var node corev1.Node
	err := r.Client.Get(ctx, req.NamespacedName, &node, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		return ctrl.Result{}, r.forget(ctx, req.Name)
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("get Node: %w", err)
	}
	seen, err := r.observe(ctx, &node)
	if err != nil {
		return ctrl.Result{}, err
	}
	decision := plan.Decide(seen.input)
	for _, note := range decision.Notes {
		log.FromContext(ctx).V(1).Info(note)
	}
	again, err := r.apply(ctx, seen, decision)
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		// The record was read before our own last write arrived, or another
		// replica writes: what is there now decides.
		return ctrl.Result{RequeueAfter: time.Second}, nil
	}
	return ctrl.Result{RequeueAfter: again}, err
}

// forget deletes our Jobs of a node that is gone; its NodeCache goes with it.
func (r *Reconciler) forget(ctx context.Context, node string) error {
	var list batchv1.JobList
	if err := r.Client.List(ctx, &list, client.MatchingFields{IndexNode: node}); err != nil {
		return fmt.Errorf("list Jobs: %w", err)
	}
	for i := range list.Items {
		if err := r.deleteJob(ctx, &list.Items[i], metav1.DeletePropagationBackground); err != nil {
			return err
		}
	}
	return nil
}
