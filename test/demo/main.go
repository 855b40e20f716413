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
	scratch, err := os.MkdirTemp("", "kubefledged-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	d := &demo{screen: newScreen(out, time.Now()), scratch: scratch}
	if d.cluster, err = lab.New(name, d.screen); err != nil {
		return err
	}
	d.screen.title("KubeFledged: images are on the nodes before pods need them")
	for _, step := range d.steps(os.Getenv("KEEP") != "") {
		d.screen.heading(step.title)
		if err := step.show(ctx); err != nil {
			return err
		}
	}
	d.farewell()
	return nil
}

type step struct {
	title string
	show  func(context.Context) error
}

// steps are all of them but the last: that is to look around, or to remove it all.
func (d *demo) steps(keep bool) []step {
	last := step{"Remove it: nothing is left", d.uninstall}
	if keep {
		last = step{"Look around", d.lookAround}
	}
	return []step{
		{"Start three real nodes: kubelet and containerd, one of them in tier=backend", d.startCluster},
		{"Fill the registry with the tutorial's images", d.pushImages},
		{"Install it: an operator, and a KubeFledged", d.install},
		{"The tutorial: create an image cache", d.create},
		{"What is where", d.showNodes},
		{"The tutorial: modify, purge and refresh it", d.showLife},
		{"What it is for: pods start sooner", d.measureStarts},
		last,
	}
}
