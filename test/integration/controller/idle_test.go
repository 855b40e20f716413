package controller

import (
	"bufio"
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/controllers"
	"github.com/kubefledged/kubefledged-operator/internal/fixture"
)

// TestIdleControllerWritesNothing but its lease: with 50 ImageCaches, some of
// them purged, failed, waiting or held by a finalizer. It compares the versions
// of all objects, and the API server's own count of requests to write: one that
// changes nothing leaves no other trace.
func TestIdleControllerWritesNothing(t *testing.T) {
	addNode(t, "n1")
	addNode(t, "n2", fixture.Cordoned())
	w := startWorker(t, 20*time.Millisecond)
	start(t, options(func(o *controllers.Options) { o.LeaderElect = true }))
	namespace, err := cp.Namespace("idle")
	if err != nil {
		t.Fatal(err)
	}
	var caches []*v1alpha2.ImageCache
	for i := range 50 {
		mods := []fixture.CacheMod{named(fmt.Sprintf("cache-%02d", i)), fixture.WithImages(nil, fmt.Sprintf("registry.test/app:%d", i%10))}
		switch i {
		case 0:
			mods = append(mods, fixture.WithImages(nil, "registry.test/missing:1"))
		case 1:
			mods = append(mods, fixture.WithImages(map[string]string{"no": "node"}, nginx))
		case 2, 3:
			mods = append(mods, fixture.WithImages(nil, redis), purgeOnDeletion)
		}
		caches = append(caches, addCacheIn(t, namespace, mods...))
	}
	for i, ic := range caches {
		await(t, ic, "settled", func(s *v1alpha2.ImageCacheStatus) bool { return settledBut(s, i == 0) })
	}
	w.use(redis, true)
	edit(t, caches[3], purge("a"))
	edit(t, caches[2], purge("a"))
	await(t, caches[2], "the purge has failed", word(v1alpha2.ImageCacheActionStatusFailed))
	edit(t, caches[2], purge("a")) // the same again, which stays
	awaitNoJobs(t)
	time.Sleep(3 * time.Second) // the last status writes and Events
	before, writes := versions(t), writesSoFar(t)
	time.Sleep(5 * time.Second)
	if after := versions(t); !slices.Equal(before, after) {
		t.Errorf("something was written:\nbefore %v\nafter  %v", before, after)
	}
	for what, n := range writesSoFar(t) {
		if n != writes[what] {
			t.Errorf("the API server was asked to write: %s: %s, before %s", what, n, writes[what])
		}
	}
}

func settledBut(s *v1alpha2.ImageCacheStatus, failed bool) bool {
	return failed && s.Status == v1alpha2.ImageCacheActionStatusFailed ||
		!failed && s.Status == v1alpha2.ImageCacheActionStatusSucceeded
}

func named(name string) fixture.CacheMod {
	return func(ic *v1alpha2.ImageCache) { ic.Name = name }
}

// versions returns the resourceVersions of all objects of ours, and Events.
func versions(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, list := range []client.ObjectList{&v1alpha2.ImageCacheList{}, &v1alpha2.NodeCacheList{}, &batchv1.JobList{}, &eventsv1.EventList{}} {
		if err := cp.Client.List(t.Context(), list); err != nil {
			t.Fatal(err)
		}
		_ = meta.EachListItem(list, func(obj runtime.Object) error {
			accessor, err := meta.Accessor(obj)
			out = append(out, fmt.Sprintf("%T/%s@%s", obj, accessor.GetName(), accessor.GetResourceVersion()))
			return err
		})
	}
	return out
}

// writesSoFar returns the API server's counts of requests to write what the
// controller writes, but for the lease; denied ones and those without a change
// are among them.
func writesSoFar(t *testing.T) map[string]string {
	t.Helper()
	clients, err := kubernetes.NewForConfig(cp.Config)
	if err != nil {
		t.Fatal(err)
	}
	text, err := clients.RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		name, n, found := strings.Cut(lines.Text(), "} ")
		if found && strings.HasPrefix(name, "apiserver_request_total{") && writes(name) {
			counts[name] = n
		}
	}
	if len(counts) == 0 {
		t.Fatal("the API server counts no writes")
	}
	return counts
}

func writes(metric string) bool {
	has := func(label string, values ...string) bool {
		return slices.ContainsFunc(values, func(v string) bool { return strings.Contains(metric, label+`="`+v+`"`) })
	}
	return has("verb", "POST", "PUT", "PATCH", "APPLY", "DELETE") &&
		has("resource", "imagecaches", "nodecaches", "jobs", "events")
}
