//go:build e2e

package olm

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// callInterval is between two requests of the admission's client: 20 a second.
const callInterval = 50 * time.Millisecond

// callLimit is how long one may take; the API server gives a webhook ten.
const callLimit = 20 * time.Second

// admission is a client that creates and updates ImageCaches all the time, with
// --dry-run=server, and counts answers that are wrong. One in three requests is
// a mistake that only the webhook finds, so that one that is not asked, or is
// not there, counts as well.
type admission struct {
	stop     context.CancelFunc
	finished sync.WaitGroup

	mutex    sync.Mutex
	calls    int
	slowest  time.Duration
	failures []string
}

func (w *world) beginAdmission() *admission {
	ctx, stop := context.WithCancel(w.ctx)
	a := &admission{stop: stop}
	a.finished.Go(func() {
		ticker := time.NewTicker(callInterval)
		defer ticker.Stop()
		for number := 0; ; number++ {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				a.finished.Go(func() { a.call(w.background(), number) })
			}
		}
	})
	w.Cleanup(stop)
	return a
}

// end stops the client and fails the scenario on any wrong answer.
func (a *admission) end(w *world) {
	w.Helper()
	a.stop()
	a.finished.Wait()
	w.Logf("%d admission calls, %d failures, slowest %.2fs", a.calls, len(a.failures), a.slowest.Seconds())
	if a.calls == 0 || len(a.failures) > 0 {
		w.Errorf("admission calls failed:\n%s", strings.Join(a.failures[:min(len(a.failures), 10)], "\n"))
	}
}

func (a *admission) call(ctx context.Context, number int) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	began := time.Now()
	what, failure := "create", ""
	switch number % 3 {
	case 0:
		failure = complaint(cluster.API.Create(ctx, someCache(number, "nginx:1"), client.DryRunAll))
	case 1:
		what = "update"
		failure = complaint(update(ctx, number))
	case 2:
		what = "create with a mistake"
		err := cluster.API.Create(ctx, someCache(number, "nginx", "docker.io/library/nginx:latest"), client.DryRunAll)
		if err == nil || !strings.Contains(err.Error(), "spec.cacheSpec[0].images[1]") {
			failure = fmt.Sprintf("not refused by the webhook: %v", err)
		}
	}
	a.record(what, failure, began)
}

func (a *admission) record(what, failure string, began time.Time) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.calls++
	a.slowest = max(a.slowest, time.Since(began))
	if failure != "" {
		a.failures = append(a.failures, fmt.Sprintf("%s %s after %.2fs: %s", began.Format(time.TimeOnly), what, time.Since(began).Seconds(), failure))
	}
}

func complaint(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func someCache(number int, images ...v1alpha2.Image) *v1alpha2.ImageCache {
	return &v1alpha2.ImageCache{
		ObjectMeta: metav1.ObjectMeta{Namespace: lab.Namespace, Name: fmt.Sprintf("dry-run-%d", number)},
		Spec:       v1alpha2.ImageCacheSpec{CacheSpec: []v1alpha2.CacheSpecImages{{Images: images}}},
	}
}

// update adds an image to the tutorial's ImageCache. The patch has no version,
// so that the controller's own writes are no conflict.
func update(ctx context.Context, number int) error {
	cache := &v1alpha2.ImageCache{ObjectMeta: metav1.ObjectMeta{Namespace: lab.Namespace, Name: "imagecache1"}}
	patch := fmt.Appendf(nil, `[{"op":"add","path":"/spec/cacheSpec/0/images/-","value":"quay.io/dry/run:%d"}]`, number)
	return cluster.API.Patch(ctx, cache, client.RawPatch("application/json-patch+json", patch), client.DryRunAll)
}
