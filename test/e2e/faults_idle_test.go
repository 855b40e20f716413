//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// renewal is how often a leader renews its lease, the one thing that an idle
// controller writes (RetryPeriod of controller-runtime).
const renewal = 2 * time.Second

// A controller that has nothing to do writes nothing, however many ImageCaches
// there are and however often they are refreshed.
func TestIdleControllerWritesNothing(t *testing.T) {
	if !full() {
		t.Skip("more than a minute long; the integration tests have a shorter form")
	}
	w := newWorld(t, "idle")
	row := w.fault("nothing, to 50 ImageCaches that are refreshed every 10 s", "the controller writes its lease and nothing else")
	var images []string
	for i := range 5 {
		images = append(images, w.push(fmt.Sprintf("i%d", i), "1KB"))
	}
	var caches []*v1alpha2.ImageCache
	for i := range 50 {
		caches = append(caches, w.cache(fmt.Sprintf("idle-%02d", i), images[i%5:i%5+1], func(cache *v1alpha2.ImageCache) {
			cache.Spec.RefreshInterval = &metav1.Duration{Duration: 10 * time.Second}
		}))
	}
	for _, cache := range caches {
		w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, time.Minute)
	}
	w.awaitNoJobs(20 * time.Second)
	time.Sleep(5 * time.Second) // what was written last is read back
	const lasts = time.Minute
	changes, before := w.watchChanges(), w.apiRequests()
	time.Sleep(lasts)
	asked, changed := w.apiRequests().since(before), changes()
	row.saw("in %s: %d renewals of the lease, %d other writes, %d reads", lasts, asked.by("PUT"), asked.by("POST", "PATCH", "DELETE"), asked.by("GET"))
	if len(changed) > 0 {
		t.Errorf("changed meanwhile: %q", changed)
	}
	if puts := asked.by("PUT"); puts == 0 || puts > int(lasts/renewal)+2 || asked.by("POST", "PATCH", "DELETE") > 0 {
		t.Errorf("requests: %v", asked)
	}
}

// watchChanges returns a function that ends the watch and returns what was
// changed of what the controller writes.
func (w *world) watchChanges() func() []string {
	w.Helper()
	lists := []client.ObjectList{&v1alpha2.ImageCacheList{}, &v1alpha2.NodeCacheList{}, &batchv1.JobList{}, &corev1.PodList{}, &corev1.EventList{}}
	changes := make(chan string, 1000)
	var watches []watch.Interface
	for _, list := range lists {
		w.check(cluster.API.List(w.ctx, list))
		options := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}}
		interest, err := cluster.API.Watch(context.WithoutCancel(w.ctx), list, options)
		w.check(err)
		watches = append(watches, interest)
		go func() {
			for event := range interest.ResultChan() {
				// The namespaces of scenarios that have ended are being emptied.
				object, ok := event.Object.(client.Object)
				if ok && slices.Contains([]string{"", w.namespace, lab.Namespace, lab.Namespace + "-node"}, object.GetNamespace()) {
					changes <- fmt.Sprintf("%s %T %s/%s", event.Type, object, object.GetNamespace(), object.GetName())
				}
			}
		}()
	}
	return func() (seen []string) {
		for _, interest := range watches {
			interest.Stop()
		}
		for {
			select {
			case change := <-changes:
				seen = append(seen, change)
			default:
				return seen
			}
		}
	}
}
