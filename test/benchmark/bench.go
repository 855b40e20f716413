package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// The nodes: one with a kubelet as it is by default, which pulls one image at a
// time, and one whose kubelet pulls several.
const (
	serialNode   = "worker1"
	parallelNode = "parallel"
	// parallelPulls is what that one pulls at once.
	parallelPulls = 5
)

// warmImage is cached once on each node and after each change of the
// controller: the node then has the helper image, and the controller leads.
const warmImage = "quay.io/benchmark/warm:1"

// bench is one run.
type bench struct {
	cluster *lab.Cluster
	out     io.Writer
	rounds  int
	nodes   map[string]*lab.Runtime
	// args are the controller's as deployed, flags those added since.
	args, flags []string
}

// prepare starts the cluster with the controller.
func (b *bench) prepare(ctx context.Context) error {
	b.say("starting one node, deploying the controller")
	if err := b.cluster.Up(ctx, 1); err != nil {
		return err
	}
	if err := b.cluster.Deploy(ctx); err != nil {
		return err
	}
	deployment, err := b.deployment(ctx)
	if err != nil {
		return err
	}
	b.args = deployment.Spec.Template.Spec.Containers[0].Args
	if _, err := b.cluster.PushImage(ctx, warmImage, "1MB"); err != nil {
		return err
	}
	return b.warm(ctx, serialNode)
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.out, format+"\n", args...) }

// warm gets to know a node's runtime and does once what a node does only once.
func (b *bench) warm(ctx context.Context, node string) error {
	runtime, err := b.cluster.Runtime(ctx, node)
	if err != nil {
		return err
	}
	b.nodes[node] = runtime
	_, err = b.cache(ctx, node, []string{warmImage})
	return err
}

// push pushes that many images, with one layer of size each that cannot be
// compressed, and returns their names.
func (b *bench) push(ctx context.Context, repository string, count int, size string) ([]string, error) {
	b.say("pushing %d images of %s", count, size)
	var images []string
	for i := range count {
		image := fmt.Sprintf("quay.io/benchmark/%s-%02d:1", repository, i)
		if _, err := b.cluster.PushImage(ctx, image, size); err != nil {
			return nil, err
		}
		images = append(images, image)
	}
	return images, nil
}

func (b *bench) deployment(ctx context.Context) (*appsv1.Deployment, error) {
	var d appsv1.Deployment
	err := b.cluster.API.Get(ctx, client.ObjectKey{Namespace: lab.Namespace, Name: lab.ControllerName}, &d)
	return &d, err
}

// configure has the controller run with these flags beside those it was
// deployed with.
func (b *bench) configure(ctx context.Context, flags ...string) error {
	if slices.Equal(flags, b.flags) {
		return nil
	}
	d, err := b.deployment(ctx)
	if err != nil {
		return err
	}
	d.Spec.Template.Spec.Containers[0].Args = slices.Concat(b.args, flags)
	if err := b.cluster.API.Update(ctx, d); err != nil {
		return err
	}
	if err := b.cluster.AwaitController(ctx); err != nil {
		return err
	}
	b.flags = flags
	return b.warm(ctx, serialNode)
}

// pull has a client of the node's runtime ask for the images, so many at once,
// and returns how long that took.
func (b *bench) pull(ctx context.Context, node string, images []string, atOnce int) (time.Duration, error) {
	if err := b.clear(ctx, node, images); err != nil {
		return 0, err
	}
	queue, failures := make(chan string), make(chan error, len(images))
	var group sync.WaitGroup
	began := time.Now()
	for range atOnce {
		group.Go(func() {
			for image := range queue {
				failures <- b.nodes[node].Pull(ctx, image)
			}
		})
	}
	for _, image := range images {
		queue <- image
	}
	close(queue)
	group.Wait()
	took := time.Since(began)
	for range images {
		if err := <-failures; err != nil {
			return 0, err
		}
	}
	return took, nil
}

// clear takes the images from the node. The runtime deletes their content
// before it answers.
func (b *bench) clear(ctx context.Context, node string, images []string) error {
	for _, image := range images {
		if err := b.nodes[node].Remove(ctx, image); err != nil {
			return err
		}
	}
	missing, err := b.nodes[node].Missing(ctx, images...)
	if err == nil && len(missing) < len(images) {
		err = fmt.Errorf("%d images are still on the node", len(images)-len(missing))
	}
	return err
}

// imageCache is an ImageCache of the images on one node.
func imageCache(node string, images []string) *v1alpha2.ImageCache {
	cache := &v1alpha2.ImageCache{ObjectMeta: metav1.ObjectMeta{Namespace: lab.Namespace, Name: "benchmark"}}
	list := v1alpha2.CacheSpecImages{NodeSelector: map[string]string{corev1.LabelHostname: node}}
	for _, image := range images {
		list.Images = append(list.Images, v1alpha2.Image(image))
	}
	cache.Spec.CacheSpec = []v1alpha2.CacheSpecImages{list}
	return cache
}

// cache has the images cached on a node by an ImageCache, until each is there
// or has failed. The ImageCache is deleted again, together with the record of
// the node.
func (b *bench) cache(ctx context.Context, node string, images []string) (*timeline, error) {
	if err := b.clear(ctx, node, images); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	watch, err := follow(ctx, b.cluster.API)
	if err != nil {
		return nil, err
	}
	began, cache := time.Now(), imageCache(node, images)
	if err := b.cluster.API.Create(ctx, cache); err != nil {
		return nil, err
	}
	line, err := watch.until(ctx, began, settled)
	if err != nil {
		return nil, err
	}
	return line, b.forget(ctx, node, cache)
}

func settled(cache *v1alpha2.ImageCache) bool {
	s := &cache.Status
	return s.Status != "" && s.Status != v1alpha2.ImageCacheActionStatusProcessing && s.Cached+s.Failed == s.Desired
}

// forget waits until nothing of the ImageCache is left but its images.
func (b *bench) forget(ctx context.Context, node string, cache *v1alpha2.ImageCache) error {
	if err := b.cluster.API.Delete(ctx, cache); err != nil {
		return err
	}
	_, err := b.cluster.Kubectl(ctx, "wait", "--for=delete", "pods", "-n", lab.Namespace, "-l", v1alpha2.LabelImageCache, "--timeout=60s")
	if err != nil && !strings.Contains(err.Error(), "no matching resources") {
		return err
	}
	return client.IgnoreNotFound(b.cluster.API.Delete(ctx, &v1alpha2.NodeCache{ObjectMeta: metav1.ObjectMeta{Name: node}}))
}

// way is one way to get images onto a node.
type way struct {
	name string
	// flags of the controller for it.
	flags []string
	run   func(ctx context.Context) (*timeline, error)
	lines []*timeline
}

// compare runs the ways in turn, round by round and every other one in reverse,
// so that what else the machine does falls on all of them.
func (b *bench) compare(ctx context.Context, what string, ways []*way) error {
	for round := range b.rounds {
		order := slices.Clone(ways)
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, w := range order {
			if err := b.configure(ctx, w.flags...); err != nil {
				return err
			}
			line, err := w.run(ctx)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", what, w.name, err)
			}
			w.lines = append(w.lines, line)
			b.say("%s, round %d, %s: %.2f s", what, round+1, w.name, line.end().Seconds())
		}
	}
	return nil
}
