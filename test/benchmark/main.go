// Command benchmark measures how fast images get onto real nodes by an
// ImageCache: against one client that asks the node's runtime for one after the
// other, on kubelets that pull one at a time and on one that pulls several, on
// a node that joins, and with batches of several sizes. It writes
// docs/benchmarks/one-node.md and docs/benchmarks/batch.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// options are what a run can be told.
type options struct {
	// name of the cluster.
	name string
	// pages are the names of the reports to write, in docs/benchmarks.
	pages []string
	// rounds is how often each way is measured.
	rounds int
	// keep leaves the cluster running.
	keep bool
}

// parts make the reports, each from measurements of its own.
var parts = map[string]func(context.Context, *bench) (page string, err error){
	"one-node": oneNode,
	"batch":    batches,
}

func main() {
	o := options{}
	pages := flag.String("pages", "one-node,batch", "the reports to write")
	flag.StringVar(&o.name, "name", "benchmark", "the name of the cluster")
	flag.IntVar(&o.rounds, "rounds", 5, "how often each way is measured")
	flag.BoolVar(&o.keep, "keep", false, "leave the cluster running")
	flag.Parse()
	o.pages = strings.Split(*pages, ",")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchmark:", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

// run measures on a cluster of its own and takes that down again.
func run(ctx context.Context, out io.Writer, o options) (err error) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return errors.New("it starts real kubelets and containerd, so it needs root on Linux")
	}
	if i := slices.IndexFunc(o.pages, func(page string) bool { return parts[page] == nil }); i >= 0 {
		return fmt.Errorf("there is no report %q", o.pages[i])
	}
	cluster, err := lab.New(o.name, io.Discard)
	if err != nil {
		return err
	}
	defer func() {
		if !o.keep {
			err = errors.Join(err, cluster.Down(context.WithoutCancel(ctx)))
		}
	}()
	b := &bench{cluster: cluster, out: out, rounds: o.rounds, nodes: map[string]*lab.Runtime{}}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	for _, name := range o.pages {
		page, err := parts[name](ctx, b)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprint(out, page)
		if err := write(filepath.Join(cluster.Root, "docs", "benchmarks", name+".md"), page); err != nil {
			return err
		}
	}
	return nil
}

func write(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o644)
}
