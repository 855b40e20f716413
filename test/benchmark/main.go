// Command benchmark measures how fast ten images of 100 MB get onto one real
// node: by an ImageCache, against one client that asks the node's runtime for
// one after the other. It writes docs/benchmarks/one-node.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

const (
	node   = "worker1"
	count  = 10
	size   = "100MB"
	rounds = 5
	report = "docs/benchmarks/one-node.md"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchmark:", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

// run measures on a cluster of its own and takes that down again.
func run(ctx context.Context, out io.Writer) (err error) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return errors.New("it starts a real kubelet and containerd, so it needs root on Linux")
	}
	cluster, err := lab.New("benchmark", io.Discard)
	if err != nil {
		return err
	}
	defer func() {
		if os.Getenv("BENCHMARK_KEEP") == "" {
			err = errors.Join(err, cluster.Down(context.WithoutCancel(ctx)))
		}
	}()
	b := &bench{cluster: cluster, out: out}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	for round := range rounds {
		if err := b.round(ctx, round); err != nil {
			return err
		}
	}
	page, err := b.page(ctx)
	if err != nil {
		return err
	}
	fmt.Fprint(out, page)
	return write(filepath.Join(cluster.Root, report), page)
}

func write(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o644)
}
