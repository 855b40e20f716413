package main

import (
	"context"
	"fmt"
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
	// scratch is the directory in which the tutorial's file is written.
	scratch string
	// before are the objects of the cluster before anything is installed.
	before []string
}

var nodes = []string{"worker1", "worker2", "worker3"}

// images are the tutorial's, with a size for each.
var images = []struct{ name, size string }{
	{"quay.io/bitnami/nginx:1.21.1", "30MB"},
	{"quay.io/bitnami/tomcat:10.0.8", "60MB"},
	{"quay.io/bitnami/redis:6.2.5", "30MB"},
	{"quay.io/bitnami/mariadb:10.5.11", "80MB"},
}

const pullLimit = 3 * time.Minute

func (d *demo) startCluster(ctx context.Context) error {
	d.screen.say("the first time, Kubernetes is compiled: 8 to 15 minutes on two cores")
	d.screen.listen = d.screen.progress
	err := d.cluster.Up(ctx, len(nodes), "worker2=tier=backend")
	d.screen.listen = nil
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
	return d.clear(ctx)
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
	err := d.runAll(ctx, []string{"get", "imagecaches", "-n", lab.Namespace, "-o", "wide"}, []string{"get", "nodecaches"})
	if err != nil {
		return err
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

func (d *demo) lookAround(context.Context) error {
	d.screen.block(strings.Join([]string{
		`make kubectl ARGS="get kubefledgeds,imagecaches,nodecaches -A"`,
		`make kubectl ARGS="get imagecache imagecache1 -n kube-fledged -o yaml"`,
		`make kubectl ARGS="logs -n kube-fledged deployment/kubefledged-controller"`,
		`bin/localcluster exec --node worker1 -- ctr -n k8s.io images ls -q`,
	}, "\n"))
	return nil
}

func (d *demo) farewell() {
	d.screen.block(strings.Join([]string{
		"",
		"make demo           again, in a minute or two",
		"make demo KEEP=1    and leave it installed, to look around",
		"make cluster-down   takes everything down",
	}, "\n"))
}

// running tells whether the pod's container runs.
func running(pod *corev1.Pod) bool {
	return len(pod.Status.ContainerStatuses) > 0 && pod.Status.ContainerStatuses[0].State.Running != nil
}
