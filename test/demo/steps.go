package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// demo is the cluster and where to print.
type demo struct {
	cluster *lab.Cluster
	screen  *screen
}

var nodes = []string{"worker1", "worker2", "worker3"}

// images are the tutorial's, with a size for each.
var images = []struct{ name, size string }{
	{"quay.io/bitnami/nginx:1.21.1", "30MB"},
	{"quay.io/bitnami/tomcat:10.0.8", "60MB"},
	{"quay.io/bitnami/redis:6.2.5", "30MB"},
	{"quay.io/bitnami/mariadb:10.5.11", "80MB"},
}

const (
	manifest     = "config/samples/kubefledged_v1alpha2_imagecache.yaml"
	tutorialName = "imagecache1"
	pullLimit    = 3 * time.Minute
)

func (d *demo) startCluster(ctx context.Context) error {
	d.screen.say("the first time, Kubernetes is compiled: 8 to 15 minutes on two cores")
	d.screen.listening = true
	err := d.cluster.Up(ctx, len(nodes), "worker2=tier=backend")
	d.screen.listening = false
	d.screen.settle()
	if err != nil {
		return err
	}
	output, err := d.cluster.Kubectl(ctx, "get", "nodes", "-L", "tier")
	d.screen.say("ready")
	d.screen.block(output)
	return err
}

func (d *demo) pushImages(ctx context.Context) error {
	if err := d.cluster.Registry.SetRules(ctx); err != nil {
		return err
	}
	for _, image := range images {
		if _, err := d.cluster.PushImage(ctx, image.name, image.size); err != nil {
			return err
		}
		d.screen.say("%-34s %6s", image.name, image.size)
	}
	for _, image := range appImages() {
		if _, err := d.cluster.PushImage(ctx, image, appSize); err != nil {
			return err
		}
	}
	d.screen.say("%-34s %6s   (%d different ones, for the measurement)", "quay.io/demo/app-*:1", appSize, len(appImages()))
	return nil
}

func (d *demo) deploy(ctx context.Context) error {
	if err := d.cluster.Deploy(ctx); err != nil {
		return err
	}
	output, err := d.cluster.Kubectl(ctx, "get", "pods", "-n", lab.Namespace, "-l", "app=kubefledged,kubefledged="+lab.ControllerName)
	d.screen.say("the controller runs")
	d.screen.block(output)
	if err != nil {
		return err
	}
	return d.forget(ctx)
}

// forget makes a repeated demo begin with nodes that hold none of the images.
func (d *demo) forget(ctx context.Context) error {
	for _, args := range [][]string{
		{"delete", "imagecache", tutorialName, appCache, "-n", lab.Namespace, "--ignore-not-found"},
		{"delete", "jobs", "--all", "-n", lab.Namespace, "--wait"},
		{"delete", "nodecaches", "--all"},
	} {
		if _, err := d.cluster.Kubectl(ctx, args...); err != nil {
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
	return nil
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

func (d *demo) applyCache(ctx context.Context) error {
	d.screen.say("kubectl apply -f %s", manifest)
	began := time.Now()
	if _, err := d.cluster.Kubectl(ctx, "apply", "-f", filepath.Join(d.cluster.Root, manifest)); err != nil {
		return err
	}
	if err := d.follow(ctx, tutorialName, v1alpha2.ImageCacheReasonCreate); err != nil {
		return err
	}
	d.screen.say("all images on all their nodes %.1f s after kubectl apply", time.Since(began).Seconds())
	return nil
}

// follow shows the status of an ImageCache until what reason names has succeeded.
func (d *demo) follow(ctx context.Context, name, reason string) error {
	defer d.screen.settle()
	return lab.Poll(ctx, "ImageCache "+name, pullLimit, func(ctx context.Context) (bool, string) {
		var cache v1alpha2.ImageCache
		if err := d.cluster.API.Get(ctx, client.ObjectKey{Namespace: lab.Namespace, Name: name}, &cache); err != nil {
			return false, err.Error()
		}
		s := cache.Status
		line := fmt.Sprintf("%-10s  cached %-5s pulling %d  pending %d  failed %d", s.Status, s.Progress, s.Pulling, s.Pending, s.Failed)
		if s.Removing > 0 {
			line += fmt.Sprintf("  removing %d", s.Removing)
		}
		if s.Reason == reason {
			d.screen.progress(line)
		}
		return s.Reason == reason && s.Status == v1alpha2.ImageCacheActionStatusSucceeded, line
	})
}

func (d *demo) showNodes(ctx context.Context) error {
	for _, args := range [][]string{
		{"get", "imagecache", "-n", lab.Namespace, "-o", "wide"},
		{"get", "nodecaches"},
	} {
		output, err := d.cluster.Kubectl(ctx, args...)
		if err != nil {
			return err
		}
		d.screen.say("kubectl %s", strings.Join(args, " "))
		d.screen.block(output)
	}
	table, err := d.imageTable(ctx)
	if err != nil {
		return err
	}
	d.screen.say("and what the container runtimes of the nodes list (CRI ListImages)")
	d.screen.block(table)
	return nil
}

// imageTable has a row per image and a column per node.
func (d *demo) imageTable(ctx context.Context) (string, error) {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	fmt.Fprintf(table, "IMAGE\t%s\n", strings.Join(nodes, "\t"))
	for _, image := range images {
		fmt.Fprint(table, image.name)
		for _, node := range nodes {
			runtime, err := d.cluster.Runtime(ctx, node)
			if err != nil {
				return "", err
			}
			missing, err := runtime.Missing(ctx, image.name)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(table, "\t%s", map[bool]string{true: "yes", false: "-"}[len(missing) == 0])
		}
		fmt.Fprintln(table)
	}
	err := table.Flush()
	return text.String(), err
}

func (d *demo) farewell() {
	d.screen.block(strings.Join([]string{
		`make kubectl ARGS="get imagecaches,nodecaches -A"`,
		`make kubectl ARGS="get imagecache imagecache1 -n kube-fledged -o yaml"`,
		`make kubectl ARGS="logs -n kube-fledged deployment/kubefledged-controller"`,
		`bin/localcluster exec --node worker1 -- ctr -n k8s.io images ls -q`,
		"",
		"make demo           again, in a minute or two",
		"make cluster-down   takes everything down",
	}, "\n"))
}

// running tells whether the pod's container runs.
func running(pod *corev1.Pod) bool {
	return len(pod.Status.ContainerStatuses) > 0 && pod.Status.ContainerStatuses[0].State.Running != nil
}
