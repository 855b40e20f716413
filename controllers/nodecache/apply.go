package nodecache

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/jobs"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// apply carries out a decision, up to the first error, and returns when to
// look at the node again.
func (r *Reconciler) apply(ctx context.Context, seen *observed, decision plan.NodeDecision) (time.Duration, error) {
	again := decision.RequeueAfter
	for _, job := range seen.damaged {
		log.FromContext(ctx).Info("deleting a Job whose annotations cannot be read", "namespace", job.Namespace, "job", job.Name)
		if err := r.deleteJob(ctx, job, metav1.DeletePropagationBackground); err != nil {
			return again, err
		}
	}
	for _, action := range decision.Actions {
		wait, err := r.act(ctx, seen, action)
		if err != nil {
			return again, err
		}
		if wait > 0 && (again == 0 || wait < again) {
			again = wait
		}
	}
	return again, nil
}

func (r *Reconciler) act(ctx context.Context, seen *observed, action plan.Action) (time.Duration, error) {
	switch a := action.(type) {
	case plan.DropRecord:
		return 0, r.dropRecord(ctx, seen, a)
	case plan.WriteRecord:
		return 0, r.writeRecord(ctx, seen, a.Status)
	case plan.DeleteJob:
		countJob(seen, a.UID)
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name, UID: a.UID}}
		return 0, r.deleteJob(ctx, job, propagation(a.Foreground))
	case plan.CreateJob:
		return r.createJob(ctx, seen, &a.Spec)
	default:
		return 0, fmt.Errorf("unknown action %T", action)
	}
}

func (r *Reconciler) dropRecord(ctx context.Context, seen *observed, a plan.DropRecord) error {
	err := r.Client.Delete(ctx, seen.cache, client.Preconditions{UID: &a.UID})
	return client.IgnoreNotFound(wrap(err, "delete NodeCache of a replaced node"))
}

// writeRecord creates or updates the NodeCache. An update carries the
// resourceVersion that was read: what was decided on old grounds is not written.
func (r *Reconciler) writeRecord(ctx context.Context, seen *observed, status v1alpha2.NodeCacheStatus) error {
	if seen.cache == nil {
		return wrap(r.Client.Create(ctx, newNodeCache(&seen.input.Node, status)), "create NodeCache")
	}
	cache := seen.cache.DeepCopy()
	cache.Status = status
	if err := r.Client.Update(ctx, cache); err != nil {
		return wrap(err, "update NodeCache")
	}
	countOutcomes(seen.cache, &status)
	return nil
}

// newNodeCache returns the record of a node, owned by the Node so that it goes
// with it. The reference does not block the Node's deletion.
func newNodeCache(node *plan.Node, status v1alpha2.NodeCacheStatus) *v1alpha2.NodeCache {
	return &v1alpha2.NodeCache{
		ObjectMeta: metav1.ObjectMeta{
			Name:   node.Name,
			Labels: map[string]string{v1alpha2.LabelApp: v1alpha2.LabelAppValue},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID,
			}},
		},
		Status: status,
	}
}

func propagation(foreground bool) metav1.DeletionPropagation {
	if foreground {
		return metav1.DeletePropagationForeground
	}
	return metav1.DeletePropagationBackground
}

// deleteJob deletes a Job of this uid and its pods.
func (r *Reconciler) deleteJob(ctx context.Context, job *batchv1.Job, pods metav1.DeletionPropagation) error {
	if job.DeletionTimestamp != nil {
		return nil
	}
	err := r.Client.Delete(ctx, job, client.Preconditions{UID: &job.UID}, client.PropagationPolicy(pods))
	return client.IgnoreNotFound(wrap(err, "delete Job"))
}

// createJob creates a Job when there is a slot for it.
func (r *Reconciler) createJob(ctx context.Context, seen *observed, spec *plan.JobSpec) (time.Duration, error) {
	job := jobs.Build(*spec, r.Options.Jobs)
	key := client.ObjectKeyFromObject(job)
	if wait := r.calledOff.left(seen.input.Node.Name); spec.Kind == plan.JobRemove && wait > 0 {
		return wait, nil
	}
	ask := Ask{
		Job: key, Beside: namespacedNames(spec.Beside), Node: seen.input.Node.Name,
		Kind: spec.Kind, Images: imagesOf(spec),
	}
	if !r.pacer.Take(ask, seen.input.Now) {
		return r.pacer.LookAgain(), nil
	}
	if wait, err := r.confirm(ctx, seen, spec); wait > 0 || err != nil {
		r.pacer.Release(key)
		return wait, err
	}
	limited, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	err := r.Client.Create(limited, job)
	switch {
	case err == nil:
		r.pacer.Confirm(key, job.UID)
		return 0, nil
	case apierrors.IsAlreadyExists(err):
		return r.existing(ctx, seen, spec, key)
	case refused(err):
		r.pacer.Release(key)
		log.FromContext(ctx).Error(err, "the API server refuses the Job", "namespace", job.Namespace, "job", job.Name)
		return 0, r.writeRecord(ctx, seen, plan.RefuseJob(seen.input.Record.NodeCacheStatus, spec, err, seen.input.Now))
	default:
		// The Job may or may not be there: the slot stays until it is known.
		return 0, wrap(err, "create Job")
	}
}

// confirm asks the API server whether a Job that was decided on what the
// informers had is still right. A removal that is not is called off, and the
// node looked at again after the time returned.
func (r *Reconciler) confirm(ctx context.Context, seen *observed, spec *plan.JobSpec) (time.Duration, error) {
	limited, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	if err := r.current(limited, seen.cache); err != nil || spec.Kind != plan.JobRemove {
		return 0, err
	}
	unwanted, err := r.stillUnwanted(limited, seen, spec)
	if err != nil || unwanted {
		return 0, err
	}
	log.FromContext(ctx).Info("what was to be removed is wanted again: nothing is removed", "node", spec.Node.Name)
	return r.calledOff.begin(seen.input.Node.Name), nil
}

// current returns a conflict when the NodeCache is not the newest any more: a
// Job planned on an old record could have the number of one that was recorded
// and deleted since.
func (r *Reconciler) current(ctx context.Context, seen *v1alpha2.NodeCache) error {
	var now v1alpha2.NodeCache
	if err := r.Reader.Get(ctx, client.ObjectKeyFromObject(seen), &now); err != nil {
		return wrap(err, "get NodeCache")
	}
	if now.ResourceVersion != seen.ResourceVersion {
		return apierrors.NewConflict(schema.GroupResource{Group: v1alpha2.GroupVersion.Group, Resource: "nodecaches"},
			seen.Name, errors.New("the record was written since it was read"))
	}
	return nil
}

func imagesOf(spec *plan.JobSpec) []string {
	images := make([]string, len(spec.Images))
	for i := range spec.Images {
		images[i] = spec.Images[i].Image
	}
	return images
}

// namespacedNames parses each "namespace/name".
func namespacedNames(list []string) []types.NamespacedName {
	names := make([]types.NamespacedName, len(list))
	for i := range list {
		names[i].Namespace, names[i].Name, _ = strings.Cut(list[i], "/")
	}
	return names
}

// existing deals with a Job of the name we chose: ours from a moment ago, or
// somebody else's, which costs us a number.
func (r *Reconciler) existing(ctx context.Context, seen *observed, spec *plan.JobSpec, key types.NamespacedName) (time.Duration, error) {
	var there batchv1.Job
	if err := r.Reader.Get(ctx, key, &there); err != nil {
		r.pacer.Release(key)
		return time.Second, client.IgnoreNotFound(wrap(err, "get Job"))
	}
	parsed, err := jobs.Parse(&there)
	if err == nil && parsed.NodeUID == spec.Node.UID {
		r.pacer.Confirm(key, there.UID)
		return time.Second, nil
	}
	r.pacer.Release(key)
	log.FromContext(ctx).Info("a Job that is not ours has the name we need: skipping it", "namespace", key.Namespace, "job", key.Name)
	return 0, r.writeRecord(ctx, seen, plan.SkipSequence(seen.input.Record.NodeCacheStatus, spec.Sequence))
}

// refused tells an answer that no retry of the same request will change: 4xx,
// but for conflicts, timeouts and throttling.
func refused(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	code := int(status.Status().Code)
	switch code {
	case http.StatusUnauthorized, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return false
	}
	return code >= 400 && code < 500
}

func wrap(err error, what string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
