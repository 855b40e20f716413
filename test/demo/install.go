package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

const (
	kubeFledged = "config/samples/charts_v1alpha2_kubefledged.yaml"
	// goneLimit is for the garbage collector to delete what belonged to something.
	goneLimit = time.Minute
)

// install has the operator install the image cache, as the guide says.
func (d *demo) install(ctx context.Context) (err error) {
	d.screen.say("make deploy: images are built, definitions and operator applied")
	if err := d.cluster.Make(ctx, "deploy"); err != nil {
		return err
	}
	d.screen.say("the operator runs")
	began := time.Now()
	if err := d.run(ctx, "apply", "-f", filepath.Join(d.cluster.Root, kubeFledged)); err != nil {
		return err
	}
	if err := d.run(ctx, "wait", "--for=condition=Ready", "-n", lab.Namespace, "kubefledged/kubefledged", "--timeout=3m"); err != nil {
		return err
	}
	d.screen.say("the image cache is installed %.1f s after kubectl apply", time.Since(began).Seconds())
	return d.runAll(ctx,
		[]string{"get", "kubefledgeds", "-n", lab.Namespace},
		[]string{"get", "pods", "-n", lab.Namespace, "-l", "app=kubefledged"},
		[]string{"get", "imagecaches", "-n", lab.Namespace})
}

// uninstall deletes the KubeFledged and the operator, and compares the cluster
// with what it was before there were any.
func (d *demo) uninstall(ctx context.Context) error {
	if err := d.runAll(ctx,
		[]string{"delete", "imagecaches", "--all", "-n", lab.Namespace},
		[]string{"delete", "kubefledged", "kubefledged", "-n", lab.Namespace},
		[]string{"get", "all,imagecaches", "-n", lab.Namespace}); err != nil {
		return err
	}
	d.screen.say("make remove-kubefledged-and-operator: the operator and the definitions")
	if err := d.cluster.Make(ctx, "remove-kubefledged-and-operator"); err != nil {
		return err
	}
	err := lab.Poll(ctx, "nothing left", goneLimit, func(ctx context.Context) (bool, string) {
		left, err := d.left(ctx)
		return err == nil && len(left) == 0, fmt.Sprint(left, err)
	})
	if err != nil {
		return err
	}
	counts, err := d.countImages(ctx)
	d.screen.say("the cluster has the %d objects it had before, and no other", len(d.before))
	d.screen.say("images stay, since no purge was asked for: of the four, the runtimes list %s", counts)
	return err
}

// left are the objects that were not there before.
func (d *demo) left(ctx context.Context) ([]string, error) {
	now, err := d.cluster.Objects(ctx)
	return slices.DeleteFunc(now, func(object string) bool { return slices.Contains(d.before, object) }), err
}

// clear makes a repeated demo begin like the first: with nothing installed, and
// with nodes that hold none of the images.
func (d *demo) clear(ctx context.Context) (err error) {
	definitions, err := d.cluster.Kubectl(ctx, "get", "crd", "imagecaches.kubefledged.io", "--ignore-not-found", "-o", "name")
	if err != nil {
		return err
	}
	if definitions != "" {
		d.screen.say("removing what an earlier demo left")
		if err := d.cluster.Make(ctx, "remove-kubefledged-and-operator"); err != nil {
			return err
		}
	}
	all := appImages()
	for _, image := range images {
		all = append(all, image.name)
	}
	for _, node := range nodes {
		if err := d.remove(ctx, node, all); err != nil {
			return err
		}
	}
	d.before, err = d.cluster.Objects(ctx)
	return err
}

// remove takes images from a node, past Kubernetes.
func (d *demo) remove(ctx context.Context, node string, references []string) error {
	runtime, err := d.cluster.Runtime(ctx, node)
	if err != nil {
		return err
	}
	for _, reference := range references {
		if err := runtime.Remove(ctx, reference); err != nil {
			return err
		}
	}
	return nil
}
