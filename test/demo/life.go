package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

const modifiedManifest = "config/samples/kubefledged_v1alpha2_imagecache_modified.yaml"

// showLife goes on with the tutorial: Modify, Purge and Refresh.
func (d *demo) showLife(ctx context.Context) error {
	annotate := []string{"annotate", "imagecaches", tutorialName, "-n", lab.Namespace}
	for _, step := range []struct {
		reason  string
		command []string
	}{
		{v1alpha2.ImageCacheReasonUpdate, []string{"apply", "-f", filepath.Join(d.cluster.Root, modifiedManifest)}},
		{v1alpha2.ImageCacheReasonPurge, append(annotate, v1alpha2.AnnotationPurge+"=")},
		{v1alpha2.ImageCacheReasonRefresh, append(annotate, v1alpha2.AnnotationRefresh+"=")},
	} {
		if err := d.ask(ctx, step.reason, step.command); err != nil {
			return err
		}
	}
	return nil
}

// ask runs a command on the tutorial's ImageCache and shows what comes of it.
func (d *demo) ask(ctx context.Context, reason string, command []string) error {
	d.screen.say("kubectl %s", strings.ReplaceAll(strings.Join(command, " "), d.cluster.Root+"/", ""))
	began := time.Now()
	if _, err := d.cluster.Kubectl(ctx, command...); err != nil {
		return err
	}
	if err := d.follow(ctx, tutorialName, reason); err != nil {
		return err
	}
	took := time.Since(began)
	counts, err := d.countImages(ctx)
	d.screen.say("after %.1f s the runtimes list of the four images: %s", took.Seconds(), counts)
	return err
}

// countImages says how many of the tutorial's images each node's runtime lists.
func (d *demo) countImages(ctx context.Context) (string, error) {
	var names, counts []string
	for _, image := range images {
		names = append(names, image.name)
	}
	for _, node := range nodes {
		runtime, err := d.cluster.Runtime(ctx, node)
		if err != nil {
			return "", err
		}
		missing, err := runtime.Missing(ctx, names...)
		if err != nil {
			return "", err
		}
		counts = append(counts, fmt.Sprintf("%s %d", node, len(names)-len(missing)))
	}
	return strings.Join(counts, ", "), nil
}
