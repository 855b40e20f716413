// Package imagecache is the loop with one key per ImageCache: it reads what
// the records of the nodes hold and writes the status.
package imagecache

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/jobs"
	"github.com/kubefledged/kubefledged-operator/internal/observe"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
	"github.com/kubefledged/kubefledged-operator/internal/validation"
)

// Reconciler writes the status of ImageCaches.
type Reconciler struct {
	Client   client.Client
	Caches   *observe.Caches
	Recorder events.EventRecorder
}

// Reconcile brings one ImageCache's status up to what is known now. Events go
// out after the status has landed.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var ic v1alpha2.ImageCache
	if err := r.Client.Get(ctx, req.NamespacedName, &ic); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if ic.DeletionTimestamp != nil {
		return ctrl.Result{}, nil
	}
	nodes, err := r.views(ctx, &ic)
	if err != nil {
		return ctrl.Result{}, err
	}
	decision := plan.Status(plan.CacheInput{
		Now: clock.Now(), Cache: r.Caches.One(&ic), Previous: ic.Status,
		Nodes: nodes, SpecErrors: specErrors(&ic),
	})
	if equality.Semantic.DeepEqual(ic.Status, decision.Status) {
		return ctrl.Result{}, nil
	}
	if err := r.write(ctx, &ic, decision.Status); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	for _, e := range decision.Events {
		r.emit(&ic, e)
	}
	return ctrl.Result{}, nil
}

// write replaces the whole status. A difference to the status that was read
// would leave out the zeros of the first one, so that kubectl shows nothing
// for them, and would mix with what was written since.
func (r *Reconciler) write(ctx context.Context, ic *v1alpha2.ImageCache, status v1alpha2.ImageCacheStatus) error {
	patch, err := json.Marshal([]map[string]any{{"op": "add", "path": "/status", "value": status}})
	if err != nil {
		return fmt.Errorf("encode status: %w", err)
	}
	if err := r.Client.Status().Patch(ctx, ic, client.RawPatch(types.JSONPatchType, patch)); err != nil {
		return fmt.Errorf("patch status: %w", err)
	}
	return nil
}

func (r *Reconciler) emit(ic *v1alpha2.ImageCache, e plan.Event) {
	kind := corev1.EventTypeNormal
	if e.Warning {
		kind = corev1.EventTypeWarning
	}
	r.Recorder.Eventf(ic, nil, kind, e.Reason, "CacheImages", "%s", e.Message)
}

func specErrors(ic *v1alpha2.ImageCache) []string {
	var words []string
	for _, err := range validation.ImageCache(ic) {
		words = append(words, err.Error())
	}
	return words
}

// views returns what the nodes contribute, sorted by name.
func (r *Reconciler) views(ctx context.Context, ic *v1alpha2.ImageCache) ([]plan.NodeView, error) {
	var nodes corev1.NodeList
	if err := r.Client.List(ctx, &nodes, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list Nodes: %w", err)
	}
	var records v1alpha2.NodeCacheList
	if err := r.Client.List(ctx, &records, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list NodeCaches: %w", err)
	}
	byName := make(map[string]*v1alpha2.NodeCacheStatus, len(records.Items))
	for i := range records.Items {
		byName[records.Items[i].Name] = &records.Items[i].Status
	}
	flying, err := r.inFlight(ctx)
	if err != nil {
		return nil, err
	}
	selects := observe.Selectors(ic)
	var views []plan.NodeView
	for i := range nodes.Items {
		node := plan.Node{Name: nodes.Items[i].Name, Labels: nodes.Items[i].Labels}
		if plan.Selects(&node, selects) {
			full := observe.NodeBrief(&nodes.Items[i])
			views = append(views, plan.NodeView{Node: &full, Record: byName[node.Name], InFlight: flying[node.Name]})
		}
	}
	slices.SortFunc(views, func(a, b plan.NodeView) int { return strings.Compare(a.Node.Name, b.Node.Name) })
	return views, nil
}

// inFlight returns, by node, the images that unfinished Jobs are pulling. The
// Jobs of all ImageCaches count: one of another may pull what this one wants.
func (r *Reconciler) inFlight(ctx context.Context) (map[string]map[plan.Key]bool, error) {
	var list batchv1.JobList
	if err := r.Client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list Jobs: %w", err)
	}
	flying := map[string]map[plan.Key]bool{}
	for i := range list.Items {
		job, err := jobs.Parse(&list.Items[i])
		if err != nil || job.Deleting || jobs.Finished(&list.Items[i]) {
			continue
		}
		node := jobs.NodeName(&list.Items[i])
		if flying[node] == nil {
			flying[node] = map[plan.Key]bool{}
		}
		for _, image := range job.Images {
			flying[node][plan.Key{Image: image, Identity: job.Identity}] = true
		}
	}
	return flying, nil
}

// debounce is how long changes of nodes and records are gathered before the
// status is written: longer the more nodes there are, since each may change it.
func debounce(nodes int) time.Duration {
	return min(max(time.Duration(nodes)*10*time.Millisecond, 20*time.Millisecond), 5*time.Second)
}
