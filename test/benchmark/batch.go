package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// The image in the middle that is special in the tables of batches.
const special = 25

// slowPull is about how long the slow image takes.
const slowPull = 25 * time.Second

// batches measures the curve of images per Job: how soon all are there, how soon
// anything is known, and what one image that is bad does to the others.
func batches(ctx context.Context, b *bench) (string, error) {
	images, err := b.push(ctx, "small", 50, "5MB")
	if err != nil {
		return "", err
	}
	missing := slices.Clone(images)
	missing[special] = "quay.io/benchmark/nowhere:1"
	slow := lab.Rule{
		Repository: "benchmark/small-" + fmt.Sprint(special), Kind: lab.Blobs,
		BytesPerSecond: int64(5_000_000 / slowPull.Seconds()),
	}
	good, absent, late := b.curve(images), b.curve(missing), b.curve(images)
	if err := b.compare(ctx, "50 good images", good); err != nil {
		return "", err
	}
	if err := b.compare(ctx, "one image is missing", absent); err != nil {
		return "", err
	}
	if err := b.cluster.Registry.SetRules(ctx, slow); err != nil {
		return "", err
	}
	if err := b.compare(ctx, "one image is slow", late); err != nil {
		return "", err
	}
	if err := b.cluster.Registry.SetRules(ctx); err != nil {
		return "", err
	}
	return b.batchPage(ctx, len(images), good, absent, late)
}

// curve has a way for each number of images per Job.
func (b *bench) curve(images []string) []*way {
	var ways []*way
	for _, size := range []string{"1", "3", "9", "25", "50", "auto"} {
		ways = append(ways, &way{
			name: size, flags: []string{"--images-per-job=" + size},
			run: func(ctx context.Context) (*timeline, error) { return b.cache(ctx, serialNode, images) },
		})
	}
	return ways
}

const batchFormat = `# Images per Job

Written by ` + "`make benchmark`" + `. Medians of %d rounds; in each round every size is taken once, and every other round in reverse.

50 images of 5 MB come from a registry on the same machine onto one real node whose kubelet is as it is by default: it pulls one image at a time, and starts 5 pulls a second, 10 in a burst (` + "`registryPullQPS`" + `, ` + "`registryBurst`" + `). With the nth image of a Job the kubelet has pulled n of them before the Job tells of any.

| images per Job | all cached | first cached | Jobs | one missing: told | the others cached | one slow (%.0f s): the others cached | all cached |
|---|---|---|---|---|---|---|---|
%s
%s

What follows for ` + "`--images-per-job=auto`" + `, which takes ten: one or three images a Job pay for a Job, its pod and their end each time. With 25 and 50 the kubelet fails what is beyond its burst (` + "`pull QPS exceeded`" + `), which then takes another Job, and nothing is known before the last pull of a Job has ended. Around ten all are cached first, the first ones are known within two seconds, and an image that is missing or slow holds up nine others. Where one is missing the kubelet names only the first that failed, so its Job is followed by one with a container for each image.
`

func (b *bench) batchPage(ctx context.Context, count int, good, absent, late []*way) (string, error) {
	facts, err := b.facts(ctx)
	if err != nil {
		return "", err
	}
	var rows strings.Builder
	cached := func(w *way, n int) string {
		return seconds(median(w.times(func(l *timeline) time.Duration { return l.cached(n) })))
	}
	for i, w := range good {
		fmt.Fprintf(&rows, "| %s | %s | %s | %d | %s | %s | %s | %s |\n", w.name,
			cached(w, count), cached(w, 1), w.median().jobs(),
			seconds(median(absent[i].times((*timeline).failed))), cached(absent[i], count-1),
			cached(late[i], count-1), cached(late[i], count))
	}
	return fmt.Sprintf(batchFormat, b.rounds, slowPull.Seconds(), rows.String(), facts), nil
}
