// Command demo shows the product at work: a cluster of three real nodes, the
// tutorial's ImageCache, and how much sooner a pod starts whose image is there.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

// run shows everything, step by step.
func run(ctx context.Context, out io.Writer) error {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return errors.New("the demo starts real kubelets and containerd, so it needs root on Linux: try `sudo make demo`")
	}
	name := os.Getenv("CLUSTER")
	if name == "" {
		name = "kubefledged"
	}
	d := &demo{screen: newScreen(out, time.Now())}
	var err error
	if d.cluster, err = lab.New(name, d.screen); err != nil {
		return err
	}
	d.screen.title("KubeFledged: images are on the nodes before pods need them")
	for _, step := range []struct {
		title string
		show  func(context.Context) error
	}{
		{"Start three real nodes: kubelet and containerd, one of them in tier=backend", d.startCluster},
		{"Fill the registry with the tutorial's images", d.pushImages},
		{"Deploy the controller from config/default", d.deploy},
		{"Apply the tutorial's ImageCache", d.applyCache},
		{"What is where", d.showNodes},
		{"Modify, purge and refresh it", d.showLife},
		{"What it is for: pods start sooner", d.measureStarts},
	} {
		d.screen.heading(step.title)
		if err := step.show(ctx); err != nil {
			return err
		}
	}
	d.screen.heading("Look around")
	d.farewell()
	return nil
}
