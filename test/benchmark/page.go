package main

import (
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

// target is the most that the ImageCache may take, in times of what one client
// of the runtime takes.
const target = 1.2

const pageFormat = `# One node, ten images of 100 MB

Written by ` + "`make benchmark`" + `.

Ten images, each with one layer of 100 MB that cannot be compressed, come from a registry on the same machine onto one real node. An ImageCache, from its creation to status Succeeded, is compared with one client that asks the same runtime, over CRI, for one image after the other. The images are removed in between, over CRI too. Which way goes first alternates.

| round | ImageCache | CRI, one after another |
|---|---|---|
%s| **median** | **%.2f s** | **%.2f s** |

Ratio of the medians: **%.2f** (target: at most %.1f). Difference: **%.2f s**, which is per Job and hardly per image, so the ratio falls as the images take longer: a disk that writes slower, or a registry that is not on the same machine. Most of it is the kubelet's: it looks every 0.3 s whether a pod's volumes are set up (podAttachAndMountRetryInterval), makes a sandbox, notes each pull on disk, and mounts the images into a container.

%s

## What the time went into

The round with the median time, as a client that watches the API server sees it. Events of the kubelet may come late.

` + "```" + `
%s` + "```" + `
`

// page is the report.
func (b *bench) page(ctx context.Context) (string, error) {
	var rows strings.Builder
	for i := range b.caches {
		fmt.Fprintf(&rows, "| %d | %.2f s | %.2f s |\n", i+1, b.caches[i].Seconds(), b.pulls[i].Seconds())
	}
	cache, pull := median(b.caches), median(b.pulls)
	facts, err := b.facts(ctx)
	if err != nil {
		return "", err
	}
	line := b.timelines[slices.Index(b.caches, cache)]
	return fmt.Sprintf(pageFormat, rows.String(), cache.Seconds(), pull.Seconds(),
		cache.Seconds()/pull.Seconds(), target, (cache - pull).Seconds(), facts, line), nil
}

func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// facts say on what, and of what, this was measured.
func (b *bench) facts(ctx context.Context) (string, error) {
	var machine corev1.Node
	if err := b.cluster.API.Get(ctx, client.ObjectKey{Name: node}, &machine); err != nil {
		return "", err
	}
	commit, err := exec.CommandContext(ctx, "git", "-C", b.cluster.Root, "describe", "--always", "--dirty").Output()
	if err != nil {
		return "", err
	}
	info := machine.Status.NodeInfo
	return fmt.Sprintf("Commit %s; %d cores, %s, %s, Kubernetes %s, %s, %s.", strings.TrimSpace(string(commit)),
		runtime.NumCPU(), memory(), "Linux "+info.KernelVersion, info.KubeletVersion,
		strings.Replace(info.ContainerRuntimeVersion, "://", " ", 1), runtime.Version()), nil
}

// memory is the machine's, rounded.
func memory() string {
	content, _ := os.ReadFile("/proc/meminfo") // Linux has it
	var kib int64
	_, _ = fmt.Sscanf(string(content), "MemTotal: %d kB", &kib)
	return fmt.Sprintf("%d GiB of memory", (kib+1<<19)>>20)
}
