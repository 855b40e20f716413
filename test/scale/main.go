// Command scale measures what the image-cache controller costs in a cluster of
// simulated nodes, and compares that to what is accepted.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/kubefledged/kubefledged-operator/test/scale/kubelets"
	"github.com/kubefledged/kubefledged-operator/test/scale/report"
	"github.com/kubefledged/kubefledged-operator/test/scale/rig"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

func run(ctx context.Context, args []string) error {
	var m rig.Measurement
	flags := flag.NewFlagSet("scale", flag.ContinueOnError)
	size := flags.String("size", "100x10", "`NODESxIMAGES`")
	simulate := flags.String("kubelets", "", "only be the simulated kubelets, with this `kubeconfig`")
	socket := flags.String("socket", "", "with -kubelets: the `path` of the socket where they tell what the nodes have")
	flags.StringVar(&m.Settings.Cluster, "cluster", "scale", "`name` of the local cluster")
	flags.IntVar(&m.Settings.JobControllerQPS, "qps", 20, "the controller manager's --kube-api-qps")
	flags.IntVar(&m.Settings.ImagesPerJob, "per-job", 0, "the image-cache controller's --images-per-job; 0 for auto")
	flags.BoolVar(&m.Settings.Short, "short", false, "leave out what takes long")
	flags.Func("without", "leave out these `parts` too, separated by commas: "+strings.Join(rig.Parts(), ", ")+", or all of them", func(list string) error {
		var err error
		m.Settings.Without, err = rig.PartsOf(list)
		return err
	})
	flags.IntVar(&m.Settings.LeaseSeconds, "lease", 40, "the `seconds` that a node's lease lasts; a quarter of it passes between two renewals")
	flags.IntVar(&m.Settings.Listed, "list", kubelets.DefaultListed, "how many `images` a node reports, nodeStatusMaxImages of its kubelet")
	flags.DurationVar(&m.Settings.PartLimit, "limit", 3*time.Hour, "the longest `time` that a part may take")
	flags.BoolVar(&m.Settings.Keep, "keep", false, "leave the control plane and the logs as they are at the end")
	flags.StringVar(&m.Ranges, "ranges", "", "a `file` of ranges to compare the figures to")
	flags.StringVar(&m.Directory, "out", "", "a `directory` to write the results to")
	page := flags.String("page", "", "only write the page of the results in this `directory`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *page != "" {
		return report.WritePage(*page)
	}
	pace := kubelets.DefaultPace()
	pace.Listed = m.Settings.Listed
	if *simulate != "" {
		return kubelets.Serve(ctx, *simulate, *socket, pace)
	}
	m.Settings.ControllerFlags = flags.Args()
	if _, err := fmt.Sscanf(*size, "%dx%d", &m.Settings.Nodes, &m.Settings.Images); err != nil {
		return fmt.Errorf("-size %s: want NODESxIMAGES", *size)
	}
	return m.Do(ctx, os.Stdout)
}
