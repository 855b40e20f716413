package imagecache

import (
	"context"
	"fmt"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/jobs"
	"github.com/kubefledged/kubefledged-operator/internal/observe"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// views returns what the nodes contribute, sorted by name: those that a list
// selects, and those whose record holds a claim of the ImageCache.
func (r *Reconciler) views(ctx context.Context, ic *v1alpha2.ImageCache) ([]plan.NodeView, error) {
	var nodes corev1.NodeList
	if err := r.Client.List(ctx, &nodes, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list Nodes: %w", err)
	}
	r.nodes.Store(int64(len(nodes.Items)))
	var records v1alpha2.NodeCacheList
	if err := r.Client.List(ctx, &records, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list NodeCaches: %w", err)
	}
	byName := make(map[string]*v1alpha2.NodeCacheStatus, len(records.Items))
	for i := range records.Items {
		byName[records.Items[i].Name] = &records.Items[i].Status
	}
	there, err := r.jobs(ctx, ic.UID)
	if err != nil {
		return nil, err
	}
	selects := observe.Selectors(ic)
	var views []plan.NodeView
	for i := range nodes.Items {
		node := plan.Node{Name: nodes.Items[i].Name, Labels: nodes.Items[i].Labels}
		record := byName[node.Name]
		if plan.Selects(&node, selects) || claims(record, ic.UID) {
			full, work := observe.NodeBrief(&nodes.Items[i]), there[node.Name]
			views = append(views, plan.NodeView{Node: &full, Record: record, InFlight: work.inFlight, Pulls: work.pulls})
		}
	}
	slices.SortFunc(views, func(a, b plan.NodeView) int { return strings.Compare(a.Node.Name, b.Node.Name) })
	return views, nil
}

// claims tells whether a record holds a claim of the ImageCache.
func claims(record *v1alpha2.NodeCacheStatus, uid types.UID) bool {
	return record != nil && slices.ContainsFunc(record.Claims, func(c v1alpha2.Claim) bool { return c.UID == uid })
}

// jobsThere are the pull Jobs on one node.
type jobsThere struct {
	// inFlight are the images that unfinished Jobs are pulling: those of all
	// ImageCaches, as one of another may pull what this one wants.
	inFlight map[plan.Key]bool
	// pulls are the numbers of the Jobs of this ImageCache.
	pulls []int64
}

// jobs returns the pull Jobs by node.
func (r *Reconciler) jobs(ctx context.Context, uid types.UID) (map[string]jobsThere, error) {
	var list batchv1.JobList
	if err := r.Client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list Jobs: %w", err)
	}
	there := map[string]jobsThere{}
	for i := range list.Items {
		job, err := jobs.Parse(&list.Items[i])
		if err != nil || job.Kind != plan.JobPull {
			continue
		}
		name := jobs.NodeName(&list.Items[i])
		on := there[name]
		if job.Owner == uid {
			on.pulls = append(on.pulls, job.Sequence)
		}
		if !job.Deleting && !jobs.Finished(&list.Items[i]) {
			on.add(&job)
		}
		there[name] = on
	}
	return there, nil
}

func (j *jobsThere) add(job *plan.Job) {
	if j.inFlight == nil {
		j.inFlight = map[plan.Key]bool{}
	}
	for _, image := range job.Images {
		j.inFlight[plan.Key{Image: image, Identity: job.Identity}] = true
	}
}
