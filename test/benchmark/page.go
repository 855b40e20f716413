package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// median is the round with the median time.
func (w *way) median() *timeline {
	sorted := slices.SortedFunc(slices.Values(w.lines), func(a, b *timeline) int { return cmp.Compare(a.end(), b.end()) })
	return sorted[len(sorted)/2]
}

// span tells the fastest round and the slowest.
func (w *way) span() string {
	times := w.times((*timeline).end)
	return fmt.Sprintf("%.2f, %.2f", slices.Min(times).Seconds(), slices.Max(times).Seconds())
}

// times returns one time of each round.
func (w *way) times(of func(*timeline) time.Duration) []time.Duration {
	var all []time.Duration
	for _, line := range w.lines {
		all = append(all, of(line))
	}
	return all
}

func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

func worst(all []time.Duration) time.Duration { return slices.Max(all) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// facts say on what, and of what, this was measured.
func (b *bench) facts(ctx context.Context) (string, error) {
	var machine corev1.Node
	if err := b.cluster.API.Get(ctx, client.ObjectKey{Name: serialNode}, &machine); err != nil {
		return "", err
	}
	commit, err := exec.CommandContext(ctx, "git", "-C", b.cluster.Root, "describe", "--always", "--dirty").Output()
	if err != nil {
		return "", err
	}
	info := machine.Status.NodeInfo
	return fmt.Sprintf("Commit %s; %d cores, %s, %s, Kubernetes %s, %s, %s. Load average at the end: %s.", strings.TrimSpace(string(commit)),
		runtime.NumCPU(), memory(), "Linux "+info.KernelVersion, info.KubeletVersion,
		strings.Replace(info.ContainerRuntimeVersion, "://", " ", 1), runtime.Version(), loadAverage()), nil
}

// memory is the machine's, rounded.
func memory() string {
	content, _ := os.ReadFile("/proc/meminfo") // Linux has it
	var kib int64
	_, _ = fmt.Sscanf(string(content), "MemTotal: %d kB", &kib)
	return fmt.Sprintf("%d GiB of memory", (kib+1<<19)>>20)
}

// loadAverage is that of the last fifteen minutes: whoever reads the times
// should know what else the machine did.
func loadAverage() string {
	content, _ := os.ReadFile("/proc/loadavg")
	if fields := strings.Fields(string(content)); len(fields) > 2 {
		return fields[2]
	}
	return "unknown"
}
