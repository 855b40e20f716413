//go:build e2e

package operator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// load has the webhook asked about new ImageCaches all the time. Nothing is
// stored. Half of them are such that only the webhook refuses them, so that it
// is seen to have been asked.
type load struct {
	cancel context.CancelFunc
	group  sync.WaitGroup
	began  time.Time

	mutex    sync.Mutex
	calls    int
	refused  int
	worst    time.Duration
	failures []string
}

// loaded begins to ask that often.
func (w *world) loaded(perSecond int) *load {
	ctx, cancel := context.WithCancel(w.ctx)
	l := &load{cancel: cancel, began: time.Now()}
	w.Cleanup(cancel)
	l.group.Go(func() {
		ticker := time.NewTicker(time.Second / time.Duration(perSecond))
		defer ticker.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				// Each by itself: one that hangs delays no other.
				l.group.Go(func() { l.ask(context.WithoutCancel(ctx), w.cluster.API, i) })
			}
		}
	})
	return l
}

func (l *load) ask(ctx context.Context, api client.Client, i int) {
	cache := &v1alpha2.ImageCache{ObjectMeta: metav1.ObjectMeta{Namespace: lab.Namespace, Name: fmt.Sprintf("load-%d", i)}}
	images := []v1alpha2.Image{"quay.io/team/app:1"}
	bad := i%2 == 1
	if bad {
		images = []v1alpha2.Image{"nginx", "docker.io/library/nginx:latest"}
	}
	cache.Spec.CacheSpec = []v1alpha2.CacheSpecImages{{Images: images}}
	began := time.Now()
	err := api.Create(ctx, cache, client.DryRunAll)
	took := time.Since(began)
	refused := bad && apierrors.IsInvalid(err)
	if bad && err == nil {
		err = errors.New("a bad ImageCache was accepted")
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.calls++
	l.worst = max(l.worst, took)
	switch {
	case refused:
		l.refused++
	case err != nil:
		l.failures = append(l.failures, fmt.Sprintf("%.1f s after the first: %v", began.Sub(l.began).Seconds(), err))
	}
}

// lull ends the load and reports it. Every call must have been answered.
func (w *world) lull(l *load) {
	w.Helper()
	l.cancel()
	took := time.Since(l.began)
	l.group.Wait()
	w.saw("%d validations in %.0f s (%.0f a second), %d of them refused as they must be: %d failed, the slowest took %.2f s",
		l.calls, took.Seconds(), float64(l.calls)/took.Seconds(), l.refused, len(l.failures), l.worst.Seconds())
	for i, failure := range l.failures {
		if w.Errorf("failed: %s", failure); i == 5 {
			break
		}
	}
	if l.refused == 0 || l.calls == l.refused {
		w.Error("nothing was asked, or nothing answered")
	}
}
