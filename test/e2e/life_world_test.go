//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// removalNamespace is where the Jobs run that may speak to a container runtime.
const removalNamespace = lab.Namespace + "-node"

// Operations of Jobs.
const (
	pulls    = "pull"
	verifies = "verify"
	removes  = "remove"
)

// jobLog has every Job of ours since it began, as it was seen last. Jobs are
// deleted as soon as they are recorded, so they must be watched to be counted.
type jobLog struct {
	mu   sync.Mutex
	jobs map[types.UID]*batchv1.Job
}

// watchJobs begins a log, which ends with the scenario.
func (w *world) watchJobs() *jobLog {
	w.Helper()
	log := &jobLog{jobs: map[types.UID]*batchv1.Job{}}
	watch, err := cluster.API.Watch(w.ctx, &batchv1.JobList{}, client.MatchingLabels{v1alpha2.LabelComponent: v1alpha2.LabelComponentValue})
	w.check(err)
	go func() {
		for event := range watch.ResultChan() {
			if job, ok := event.Object.(*batchv1.Job); ok {
				log.mu.Lock()
				log.jobs[job.UID] = job
				log.mu.Unlock()
			}
		}
	}()
	w.Cleanup(watch.Stop)
	w.T.Cleanup(func() { log.explain(w) }) // before anything is undone
	return log
}

// explain prints, after a failure, the Jobs there were and what is recorded.
func (l *jobLog) explain(w *world) {
	if !w.Failed() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, job := range slices.SortedFunc(maps.Values(l.jobs), byCreation) {
		a := job.Annotations
		w.Logf("Job %s, %s: %s %s on %s, %s", job.Name, job.CreationTimestamp.Format(time.TimeOnly), a[v1alpha2.AnnotationSequence],
			a[v1alpha2.AnnotationOperation], a[v1alpha2.AnnotationNode], a[v1alpha2.AnnotationImages])
	}
	output, err := cluster.Kubectl(context.Background(), "get", "nodecaches", "-o", "yaml")
	w.Logf("NodeCaches (error: %v)\n%s", err, output)
}

func byCreation(a, b *batchv1.Job) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) }

// with returns the Jobs of an operation that had the image, on one node or,
// for "", on any, oldest first.
func (l *jobLog) with(operation, node, image string) (found []*batchv1.Job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, job := range l.jobs {
		a := job.Annotations
		if a[v1alpha2.AnnotationOperation] == operation && (node == "" || a[v1alpha2.AnnotationNode] == node) && slices.Contains(imagesOf(job), image) {
			found = append(found, job)
		}
	}
	slices.SortStableFunc(found, byCreation)
	return found
}

func imagesOf(job *batchv1.Job) (images []string) {
	_ = json.Unmarshal([]byte(job.Annotations[v1alpha2.AnnotationImages]), &images) // none, if it is not there
	return images
}

// counted fails unless exactly so many Jobs of the operation had each image on
// the node.
func (w *world) counted(log *jobLog, want int, operation, node string, images ...string) {
	w.Helper()
	for _, image := range images {
		if got := len(log.with(operation, node, image)); got != want {
			w.Errorf("%d %s Jobs had %s on %s, want %d", got, operation, image, node, want)
		}
	}
}

// edit changes the spec of an ImageCache.
func (w *world) edit(cache *v1alpha2.ImageCache, change func(*v1alpha2.ImageCacheSpec)) {
	w.Helper()
	w.check(cluster.API.Get(w.ctx, client.ObjectKeyFromObject(cache), cache))
	before := client.MergeFrom(cache.DeepCopy())
	change(&cache.Spec)
	w.check(cluster.API.Patch(w.ctx, cache, before))
}

// pushLatest is push for an image whose tag may move.
func (w *world) pushLatest(name, size string) string {
	w.Helper()
	reference := "quay.io/" + w.namespace + "/" + name + ":latest"
	_, err := cluster.PushImage(w.ctx, reference, size)
	w.check(err)
	return reference
}

// list is one list of a spec.
func list(selector map[string]string, images ...string) v1alpha2.CacheSpecImages {
	l := v1alpha2.CacheSpecImages{NodeSelector: selector}
	for _, image := range images {
		l.Images = append(l.Images, v1alpha2.Image(image))
	}
	return l
}

// toLists is an edit that replaces all lists.
func toLists(lists ...v1alpha2.CacheSpecImages) func(*v1alpha2.ImageCacheSpec) {
	return func(spec *v1alpha2.ImageCacheSpec) { spec.CacheSpec = lists }
}

// annotate asks for an operation as users do.
func (w *world) annotate(cache *v1alpha2.ImageCache, annotation, value string) {
	w.Helper()
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, annotation, value)
	w.check(cluster.API.Patch(w.ctx, cache, client.RawPatch(types.MergePatchType, patch)))
}

// request asks for an operation and returns its id when it is accepted.
func (w *world) request(cache *v1alpha2.ImageCache, annotation, value string) (id int64) {
	w.Helper()
	before := accepted(cache)
	w.annotate(cache, annotation, value)
	w.check(lab.Poll(w.ctx, annotation+" accepted", 10*time.Second, func(ctx context.Context) (bool, string) {
		err := cluster.API.Get(ctx, client.ObjectKeyFromObject(cache), cache)
		id = accepted(cache)
		_, asked := cache.Annotations[annotation]
		return err == nil && id > before && !asked, fmt.Sprintf("annotations %v, error %v", cache.Annotations, err)
	}))
	return id
}

// accepted is the id of the operation accepted last, 0 for none.
func accepted(cache *v1alpha2.ImageCache) int64 {
	var operation struct {
		ID int64 `json:"id"`
	}
	_ = json.Unmarshal([]byte(cache.Annotations[v1alpha2.AnnotationAccepted]), &operation)
	return operation.ID
}

// served waits until all nodes that can have carried out the operation.
func (w *world) served(cache *v1alpha2.ImageCache, id int64, limit time.Duration) time.Duration {
	w.Helper()
	return w.await(cache, fmt.Sprintf("operation %d is served", id), limit, func(s *v1alpha2.ImageCacheStatus) bool {
		last := s.LastOperation
		return last != nil && last.ID == id && last.CompletionTime != nil && s.Status != v1alpha2.ImageCacheActionStatusProcessing
	})
}

// purge purges an ImageCache and waits until that is done.
func (w *world) purge(cache *v1alpha2.ImageCache, value string, limit time.Duration) time.Duration {
	w.Helper()
	return w.served(cache, w.request(cache, v1alpha2.AnnotationPurge, value), limit)
}

// refresh refreshes an ImageCache and waits until that is done.
func (w *world) refresh(cache *v1alpha2.ImageCache, value string, limit time.Duration) time.Duration {
	w.Helper()
	return w.served(cache, w.request(cache, v1alpha2.AnnotationRefresh, value), limit)
}

// tags returns the names with a tag that the node's runtime lists of this
// scenario's images.
func (w *world) tags(ctx context.Context, node string) ([]string, error) {
	runtime, err := cluster.Runtime(ctx, node)
	if err != nil {
		return nil, err
	}
	images, err := runtime.Images(ctx)
	var names []string
	for _, image := range images {
		for _, name := range image.Names {
			if strings.HasPrefix(name, "quay.io/"+w.namespace+"/") && !strings.Contains(name, "@") {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names, err
}

// exactly waits until the node's runtime lists these of the scenario's images
// and no others; without a limit it looks once.
func (w *world) exactly(node string, limit time.Duration, images ...string) {
	w.Helper()
	want := slices.Sorted(slices.Values(images))
	w.check(lab.Poll(w.ctx, "exactly these images on "+node, max(limit, time.Second), func(ctx context.Context) (bool, string) {
		names, err := w.tags(ctx, node)
		return err == nil && slices.Equal(names, want), fmt.Sprintf("%v instead of %v, error %v", names, want, err)
	}))
}

// digests returns the names with a digest that the runtime lists for an image.
func (w *world) digests(ctx context.Context, node, image string) []string {
	runtime, err := cluster.Runtime(ctx, node)
	w.check(err)
	images, err := runtime.Images(ctx)
	w.check(err)
	for _, i := range images {
		if slices.Contains(i.Names, image) {
			return slices.DeleteFunc(slices.Clone(i.Names), func(name string) bool { return !strings.Contains(name, "@") })
		}
	}
	return nil
}

// record returns what is recorded of an image on a node.
func (w *world) record(node, image string) v1alpha2.ImageRecord {
	w.Helper()
	var cache v1alpha2.NodeCache
	w.check(cluster.API.Get(w.ctx, client.ObjectKey{Name: node}, &cache))
	for _, rec := range cache.Status.Images {
		if rec.Image == image {
			return rec
		}
	}
	return v1alpha2.ImageRecord{}
}

// asked returns the requests of a node about a repository since a time.
func (w *world) asked(node, image string, since time.Time) []lab.Request {
	w.Helper()
	repository, _, _ := strings.Cut(strings.TrimPrefix(image, "quay.io/"), ":")
	all, err := cluster.Registry.Log(w.ctx, repository+"/", since)
	w.check(err)
	from := address(w.node(node))
	return slices.DeleteFunc(all, func(r lab.Request) bool { return r.Client() != from })
}

// condition returns "status/reason" of a condition.
func condition(cache *v1alpha2.ImageCache, name string) string {
	c := meta.FindStatusCondition(cache.Status.Conditions, name)
	if c == nil {
		return ""
	}
	return string(c.Status) + "/" + c.Reason
}

// status checks the words of the status.
func (w *world) status(cache *v1alpha2.ImageCache, word v1alpha2.ImageCacheActionStatus, reason, message string) {
	w.Helper()
	if s := cache.Status; s.Status != word || s.Reason != reason || s.Message != message {
		w.Errorf("status %s, reason %s, message %q; want %s, %s, %q", s.Status, s.Reason, s.Message, word, reason, message)
	}
}

// crash kills the controller's process and its pod, so that the kubelet's
// back-off for containers that crash has no say.
func (w *world) crash() {
	w.Helper()
	pod := w.leaderNow()
	w.signalController(pod, "SIGKILL")
	w.check(cluster.API.Delete(w.ctx, pod, client.GracePeriodSeconds(0)))
}

// signalController sends a signal to the controller's process.
func (w *world) signalController(pod *corev1.Pod, signal string) {
	w.Helper()
	_, id, _ := strings.Cut(pod.Status.ContainerStatuses[0].ContainerID, "://")
	_, err := cluster.Exec(w.ctx, pod.Spec.NodeName, "ctr", "-n", "k8s.io", "tasks", "kill", "--signal", signal, id)
	w.check(err)
}
