package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// bench is one run.
type bench struct {
	cluster *lab.Cluster
	runtime *lab.Runtime
	out     io.Writer
	images  []string
	// caches and pulls hold the time of each round.
	caches, pulls []time.Duration
	timelines     []timeline
}

// prepare starts the cluster with the controller and the images, and does once
// what a node does only once: pull the helper image.
func (b *bench) prepare(ctx context.Context) error {
	fmt.Fprintln(b.out, "starting one node, deploying the controller, pushing", count, "images of", size)
	if err := b.cluster.Up(ctx, 1); err != nil {
		return err
	}
	if err := b.cluster.Deploy(ctx); err != nil {
		return err
	}
	for i := range count {
		image := fmt.Sprintf("quay.io/benchmark/image-%d:1", i)
		if _, err := b.cluster.PushImage(ctx, image, size); err != nil {
			return err
		}
		b.images = append(b.images, image)
	}
	var err error
	if b.runtime, err = b.cluster.Runtime(ctx, node); err != nil {
		return err
	}
	if _, err := b.cluster.PushImage(ctx, "quay.io/benchmark/warm:1", "1MB"); err != nil {
		return err
	}
	_, _, err = b.cache(ctx, []string{"quay.io/benchmark/warm:1"})
	return err
}

// round measures both ways; which one goes first alternates.
func (b *bench) round(ctx context.Context, round int) error {
	ways := []func(context.Context) error{b.measureCache, b.measurePulls}
	if round%2 == 1 {
		slices.Reverse(ways)
	}
	for _, way := range ways {
		if err := way(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(b.out, "round %d: ImageCache %.2f s, CRI one after another %.2f s\n",
		round+1, b.caches[round].Seconds(), b.pulls[round].Seconds())
	return nil
}

// measureCache is the time from the apply to the status Succeeded.
func (b *bench) measureCache(ctx context.Context) error {
	if err := b.clear(ctx); err != nil {
		return err
	}
	took, line, err := b.cache(ctx, b.images)
	b.caches, b.timelines = append(b.caches, took), append(b.timelines, line)
	return err
}

// measurePulls is the time that one client of the runtime takes.
func (b *bench) measurePulls(ctx context.Context) error {
	if err := b.clear(ctx); err != nil {
		return err
	}
	began := time.Now()
	for _, image := range b.images {
		if err := b.runtime.Pull(ctx, image); err != nil {
			return err
		}
	}
	b.pulls = append(b.pulls, time.Since(began))
	return nil
}

// clear takes the images from the node. The runtime deletes their content
// before it answers.
func (b *bench) clear(ctx context.Context) error {
	for _, image := range b.images {
		if err := b.runtime.Remove(ctx, image); err != nil {
			return err
		}
	}
	missing, err := b.runtime.Missing(ctx, b.images...)
	if err == nil && len(missing) < len(b.images) {
		err = fmt.Errorf("%d images are still on the node", len(b.images)-len(missing))
	}
	return err
}

// cache has the images cached by an ImageCache, which is deleted again together
// with the record of the node.
func (b *bench) cache(ctx context.Context, images []string) (time.Duration, timeline, error) {
	cache := &v1alpha2.ImageCache{ObjectMeta: metav1.ObjectMeta{Namespace: lab.Namespace, Name: "benchmark"}}
	cache.Spec.CacheSpec = []v1alpha2.CacheSpecImages{{}}
	for _, image := range images {
		cache.Spec.CacheSpec[0].Images = append(cache.Spec.CacheSpec[0].Images, v1alpha2.Image(image))
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	watch, err := follow(ctx, b.cluster.API)
	if err != nil {
		return 0, nil, err
	}
	began := time.Now()
	if err := b.cluster.API.Create(ctx, cache); err != nil {
		return 0, nil, err
	}
	line, err := watch.until(ctx, began, string(v1alpha2.ImageCacheActionStatusSucceeded))
	if err != nil {
		return 0, nil, err
	}
	return line[len(line)-1].at, line, b.forget(ctx, cache)
}

// forget waits until nothing of the ImageCache is left but its images.
func (b *bench) forget(ctx context.Context, cache *v1alpha2.ImageCache) error {
	if err := b.cluster.API.Delete(ctx, cache); err != nil {
		return err
	}
	_, err := b.cluster.Kubectl(ctx, "wait", "--for=delete", "pods", "-n", lab.Namespace, "-l", v1alpha2.LabelImageCache, "--timeout=60s")
	if err != nil {
		return err
	}
	return client.IgnoreNotFound(b.cluster.API.Delete(ctx, &v1alpha2.NodeCache{ObjectMeta: metav1.ObjectMeta{Name: node}}))
}
