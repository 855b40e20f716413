package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// The tutorial's ImageCache, and what its file is called there.
const (
	manifest         = "config/samples/kubefledged_v1alpha2_imagecache.yaml"
	modifiedManifest = "config/samples/kubefledged_v1alpha2_imagecache_modified.yaml"
	tutorialName     = "imagecache1"
	tutorialFile     = "kubefledged-imagecache.yaml"
)

// create follows the tutorial: its manifest, its commands. First comes one with
// a mistake that only the webhook knows.
func (d *demo) create(ctx context.Context) error {
	wrong := strings.NewReplacer(images[0].name, "nginx", images[1].name, "docker.io/library/nginx:latest")
	if err := d.write(manifest, wrong); err != nil {
		return err
	}
	d.screen.say("%s is that of the tutorial, but for a mistake: one image in two spellings", tutorialFile)
	create := []string{"create", "-f", filepath.Join(d.scratch, tutorialFile)}
	if err := d.run(ctx, create...); err == nil {
		return fmt.Errorf("the mistake in %s was not refused", tutorialFile)
	}
	if err := d.write(manifest, strings.NewReplacer()); err != nil {
		return err
	}
	d.screen.say("and without it")
	if err := d.ask(ctx, v1alpha2.ImageCacheReasonCreate, create); err != nil {
		return err
	}
	return d.view(ctx)
}

// showLife goes on with the tutorial: Modify, Purge and Refresh.
func (d *demo) showLife(ctx context.Context) error {
	if err := d.write(modifiedManifest, strings.NewReplacer()); err != nil {
		return err
	}
	d.screen.say("%s no longer has tomcat", tutorialFile)
	annotate := []string{"annotate", "imagecaches", tutorialName, "-n", lab.Namespace}
	for _, step := range []struct {
		reason  string
		command []string
	}{
		{v1alpha2.ImageCacheReasonUpdate, []string{"apply", "-f", filepath.Join(d.scratch, tutorialFile)}},
		{v1alpha2.ImageCacheReasonPurge, append(annotate, v1alpha2.AnnotationPurge+"=")},
		{v1alpha2.ImageCacheReasonRefresh, append(annotate, v1alpha2.AnnotationRefresh+"=")},
	} {
		if err := d.ask(ctx, step.reason, step.command); err != nil {
			return err
		}
		if err := d.view(ctx); err != nil {
			return err
		}
	}
	return nil
}

// write writes the tutorial's file.
func (d *demo) write(sample string, edit *strings.Replacer) error {
	content, err := os.ReadFile(filepath.Join(d.cluster.Root, sample))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(d.scratch, tutorialFile), []byte(edit.Replace(string(content))), 0o600)
}

// ask runs a command on the tutorial's ImageCache and shows what comes of it.
func (d *demo) ask(ctx context.Context, reason string, command []string) error {
	d.enter(command)
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

// viewed are the fields of the status that the tutorial speaks of.
var viewed = []string{"completionTime", "message", "progress", "reason", "startTime", "status"}

// view runs the tutorial's command that shows the whole object, and prints of it
// what the tutorial speaks of.
func (d *demo) view(ctx context.Context) error {
	args := []string{"get", "imagecache", tutorialName, "-n", lab.Namespace, "-o", "yaml"}
	d.enter(args)
	output, err := d.cluster.Kubectl(ctx, args...)
	_, status, _ := strings.Cut(output, "\nstatus:\n")
	d.screen.block("...\nstatus:")
	for line := range strings.Lines(status) {
		key, _, _ := strings.Cut(strings.TrimPrefix(line, "  "), ":")
		if slices.Contains(viewed, key) {
			d.screen.block(line)
		}
	}
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
