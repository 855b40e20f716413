package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// slowBytes is what the registry sends each second over one connection where it
// is not as fast as the machine: 100 MB/s, a little less than 1 Gbit/s.
const slowBytes = 100_000_000

// load is what is brought onto a node.
type load struct {
	title  string
	images []string
	// slowed is true when the registry sends slowBytes at most.
	slowed bool
}

// comparison is a load and the ways it was brought onto a node.
type comparison struct {
	load
	ways []*way
}

// oneNode measures how fast one node gets its images.
func oneNode(ctx context.Context, b *bench) (string, error) {
	large, err := b.push(ctx, "large", 10, "100MB")
	if err != nil {
		return "", err
	}
	small, err := b.push(ctx, "small", 50, "5MB")
	if err != nil {
		return "", err
	}
	if err := b.addParallelNode(ctx); err != nil {
		return "", err
	}
	var done []comparison
	for _, l := range []load{
		{"10 images of 100 MB", large, false},
		{"10 images of 100 MB, the registry sends 100 MB/s", large, true},
		{"50 images of 5 MB", small, false},
	} {
		if err := b.slow(ctx, l.slowed); err != nil {
			return "", err
		}
		c := comparison{l, b.ways(l.images)}
		if err := b.compare(ctx, l.title, c.ways); err != nil {
			return "", err
		}
		done = append(done, c)
	}
	if err := b.slow(ctx, false); err != nil {
		return "", err
	}
	joined, err := b.newNode(ctx, large)
	if err != nil {
		return "", err
	}
	return b.oneNodePage(ctx, done, joined)
}

// ways are those of bringing images onto a node that are compared: the first
// is the floor of the second, the third that of the others.
func (b *bench) ways(images []string) []*way {
	pulls := func(node string, atOnce int) func(context.Context) (*timeline, error) {
		return func(ctx context.Context) (*timeline, error) {
			took, err := b.pull(ctx, node, images, atOnce)
			return lasting(took), err
		}
	}
	caches := func(node string) func(context.Context) (*timeline, error) {
		return func(ctx context.Context) (*timeline, error) { return b.cacheAll(ctx, node, images) }
	}
	several := fmt.Sprintf("--pulls-per-node=%d", parallelPulls)
	return []*way{
		{name: "CRI, one after another", run: pulls(serialNode, 1)},
		{name: "ImageCache", run: caches(serialNode)},
		{name: fmt.Sprintf("CRI, %d at once", parallelPulls), run: pulls(parallelNode, parallelPulls)},
		{name: "ImageCache, parallel kubelet", run: caches(parallelNode)},
		{name: "ImageCache, parallel kubelet, `" + several + "`", run: caches(parallelNode), flags: []string{several}},
	}
}

// cacheAll is cache, and no image may fail.
func (b *bench) cacheAll(ctx context.Context, node string, images []string) (*timeline, error) {
	line, err := b.cache(ctx, node, images)
	if err == nil && line.cached(len(images)) == 0 {
		err = fmt.Errorf("not all images were cached:\n%s", line)
	}
	return line, err
}

func (b *bench) addParallelNode(ctx context.Context) error {
	b.say("adding a node whose kubelet pulls %d images at once", parallelPulls)
	err := b.cluster.AddNodeWith(ctx, parallelNode, lab.NodeOptions{Kubelet: map[string]any{
		"serializeImagePulls": false, "maxParallelImagePulls": parallelPulls,
	}})
	if err != nil {
		return err
	}
	return b.warm(ctx, parallelNode)
}

// slow has the registry send slowBytes each second over a connection, or all it can.
func (b *bench) slow(ctx context.Context, slowed bool) error {
	if !slowed {
		return b.cluster.Registry.SetRules(ctx)
	}
	return b.cluster.Registry.SetRules(ctx, lab.Rule{Repository: "benchmark", Kind: lab.Blobs, BytesPerSecond: slowBytes})
}

// joining is how long a new node took since it was Ready.
type joining struct{ created, cached time.Duration }

// newNode lets a node join that an ImageCache waits for.
func (b *bench) newNode(ctx context.Context, images []string) (all []joining, err error) {
	const name = "joining"
	if err := b.configure(ctx); err != nil {
		return nil, err
	}
	for round := range b.rounds {
		j, err := b.join(ctx, name, images)
		if err != nil {
			return nil, fmt.Errorf("a node joins: %w", err)
		}
		b.say("a node joins, round %d: Job after %.2f s, all cached after %.2f s", round+1, j.created.Seconds(), j.cached.Seconds())
		all = append(all, j)
	}
	return all, nil
}

func (b *bench) join(ctx context.Context, name string, images []string) (j joining, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	watch, err := follow(ctx, b.cluster.API)
	if err != nil {
		return j, err
	}
	cache, began := imageCache(name, images), time.Now()
	if err := b.cluster.API.Create(ctx, cache); err != nil {
		return j, err
	}
	added := make(chan error, 1)
	go func() { added <- b.cluster.AddNode(ctx, name) }()
	line, err := watch.until(ctx, began, func(cache *v1alpha2.ImageCache) bool {
		return settled(cache) && int(cache.Status.Cached) == len(images)
	})
	if err != nil {
		return j, err
	}
	if err := <-added; err != nil {
		return j, err
	}
	ready := line.seen("node " + name + " is Ready")
	j = joining{line.seen("Job ") - ready, line.cached(len(images)) - ready}
	if err := b.forget(ctx, name, cache); err != nil {
		return j, err
	}
	return j, b.cluster.RemoveNode(ctx, name)
}

// isReady tells whether a node is.
func isReady(node *corev1.Node) bool {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

const oneNodeFormat = `# Real nodes

Written by ` + "`make benchmark`" + `. Medians of %d rounds; in each round every way is taken once, and every other round in reverse.

Images with one layer that cannot be compressed come from a registry on the same machine onto real nodes, kubelet and containerd. An ImageCache, from its creation to status Succeeded, is compared with one client that asks the same node's runtime, over CRI, for the same images. The images are removed in between, over CRI too. One node's kubelet is as it is by default and pulls one image at a time (` + "`serializeImagePulls`" + `), the other's pulls %d (` + "`serializeImagePulls: false, maxParallelImagePulls: %d`" + `).

%s
%s

The target for 10 images of 100 MB on a kubelet that pulls one at a time is a ratio of 1.15. What is above it is what one Job costs beside its pulls, before the first and after the last of them in the timeline below, and hardly more for more images: the kubelet looks every 0.3 s whether a pod's volumes are set up, makes a sandbox, mounts the images and starts a container ([0020](../adr/0020-the-next-job-does-not-wait-for-the-pod.md) has each part, and what was tried). So the ratio falls as the images take longer, as the second table shows: a registry on the same machine is faster than any other. 50 images of 5 MB take at least 8 s, because a kubelet starts 5 pulls a second after a burst of 10 (` + "`" + `registryPullQPS` + "`" + `), while a client of the runtime asks as fast as it can.

## A node that joins

An ImageCache of 10 images of 100 MB waits for a node. Counted from when the node is seen Ready; it pulls the helper image first, as every new node does.

| | Job created | all cached |
|---|---|---|
%s
## What the time goes into

The round with the median time of the first load on the kubelet that pulls one image at a time, as a client that watches the API server sees it. Events of the kubelet may come late.

` + "```" + `
%s` + "```" + `
`

func (b *bench) oneNodePage(ctx context.Context, done []comparison, joined []joining) (string, error) {
	facts, err := b.facts(ctx)
	if err != nil {
		return "", err
	}
	var tables strings.Builder
	for _, c := range done {
		fmt.Fprintf(&tables, "## %s\n\n%s\n", strings.ToUpper(c.title[:1])+c.title[1:], c.table())
	}
	var created, cached []time.Duration
	for _, j := range joined {
		created, cached = append(created, j.created), append(cached, j.cached)
	}
	rows := fmt.Sprintf("| median | %s | %s |\n| worst | %s | %s |\n",
		seconds(median(created)), seconds(median(cached)), seconds(worst(created)), seconds(worst(cached)))
	return fmt.Sprintf(oneNodeFormat, b.rounds, parallelPulls, parallelPulls, tables.String(), facts, rows, done[0].ways[1].median()), nil
}

// table compares each way with the floor of its kubelet.
func (c *comparison) table() string {
	var rows strings.Builder
	rows.WriteString("| way | median | from, to | ratio | more than the floor, per image | Jobs |\n|---|---|---|---|---|---|\n")
	for i, w := range c.ways {
		floor, took := c.ways[i/2*2].median().end(), w.median().end()
		if i > 2 {
			floor = c.ways[2].median().end()
		}
		fmt.Fprintf(&rows, "| %s | %s | %s | %.2f | %.0f ms | %d |\n", w.name, seconds(took), w.span(),
			took.Seconds()/floor.Seconds(), float64((took-floor).Milliseconds())/float64(len(c.images)), w.median().jobs())
	}
	return rows.String()
}

func nodeMarks(node *corev1.Node) []string {
	if isReady(node) {
		return []string{"node " + node.Name + " is Ready"}
	}
	return nil
}
