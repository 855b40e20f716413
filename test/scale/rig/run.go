package rig

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/scale/accounts"
	"github.com/kubefledged/kubefledged-operator/test/scale/report"
)

// Names of the ImageCaches.
const (
	first  = "images"
	second = "same-images"
)

// Run does the parts in order and returns what was measured. What is known
// after each goes to keep, too: a run takes long.
func (r *Rig) Run(ctx context.Context, keep func(*report.Result) error) (*report.Result, error) {
	result := &report.Result{
		Nodes: r.Nodes, Images: r.Images, Pairs: r.Nodes * r.Images, JobControllerQPS: r.JobControllerQPS, LeaseSeconds: r.LeaseSeconds, Listed: r.Listed, ImagesPerJob: r.ImagesPerJob,
		Machine: machine(), Commit: commit(ctx, r.Root()), Date: clock.Now().UTC().Format(time.DateOnly),
	}
	for _, part := range parts {
		if r.Short && part.long || slices.Contains(r.Without, part.name) {
			continue
		}
		if err := r.within(ctx, part, result); err != nil {
			return result, err
		}
		result.ControllerEnded = r.revived
		if err := r.noteMemory(result); err != nil {
			return result, err
		}
		if err := keep(result); err != nil {
			return result, err
		}
	}
	return result, nil
}

// within does a part, for at most PartLimit: what is waited for may never come.
func (r *Rig) within(ctx context.Context, p part, result *report.Result) error {
	limited, cancel := context.WithTimeout(ctx, r.PartLimit)
	defer cancel()
	err := p.do(r, limited, result)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("part %s is not over after %s; the controller's last words: %s: %w", p.name, r.PartLimit, r.tail("controller.log"), err)
	}
	return err
}

// noteMemory keeps the controller's peak: of any of its processes.
func (r *Rig) noteMemory(result *report.Result) error {
	if r.controller == nil {
		return nil
	}
	used, err := r.controller.usage()
	result.PeakMemory = max(result.PeakMemory, used.Peak)
	return err
}

// floor runs the hand-made Jobs before the controller is there.
func (r *Rig) floor(ctx context.Context, result *report.Result) error {
	op, _, err := r.measure(ctx, "hand-made Jobs", func(ctx context.Context) error { return r.byHand(ctx, &result.Floor) })
	result.Floor.Tally = op.Tally
	if err == nil {
		r.say("  %d Jobs complete after %.1f s", result.Floor.Jobs, result.Floor.Seconds)
	}
	return err
}

// create measures from apply to Succeeded, and then all that follows: the last
// Jobs and pods are deleted, and the nodes tell of their images.
func (r *Rig) create(ctx context.Context, result *report.Result) error {
	if err := r.startController(ctx); err != nil {
		return err
	}
	if err := r.pause(ctx, 8*time.Second); err != nil { // leads, has read everything, is open
		return err
	}
	err := r.one(ctx, result, "create", func(ctx context.Context) error {
		if err := r.apply(ctx, newCache(first, r.wanted), &result.Progress); err != nil {
			return err
		}
		result.Seconds = result.Progress[len(result.Progress)-1].Seconds
		r.say("  Succeeded after %.1f s", result.Seconds)
		return r.settle(ctx)
	})
	if err != nil {
		return err
	}
	used, err := r.controller.usage()
	if err != nil {
		return err
	}
	result.CreatePeakMemory = used.Peak
	if result.Held.AfterCreate, err = r.held(ctx, r.wanted); err != nil {
		return err
	}
	result.NodeCacheBytes, result.ImageCacheBytes, err = r.sizes(ctx)
	return err
}

// one measures an operation and adds it to the result.
func (r *Rig) one(ctx context.Context, result *report.Result, name string, do func(context.Context) error) error {
	op, _, err := r.measure(ctx, name, do)
	if err == nil {
		result.Operations = append(result.Operations, op)
	}
	return err
}

// reports waits until the nodes have told of their images, as kubelets do long
// after the pull.
func (r *Rig) reports(ctx context.Context, result *report.Result) error {
	if err := r.one(ctx, result, "nodes report their images", r.reported); err != nil {
		return err
	}
	var err error
	result.ListFull, err = r.full(ctx)
	return err
}

// refreshes measures automatic refreshes with nothing changed, for a while.
func (r *Rig) refreshes(ctx context.Context, result *report.Result) error {
	const interval = 10 * time.Second
	window := 3 * interval
	if r.Short {
		window = interval + interval/2
	}
	if err := r.refreshEvery(ctx, first, interval); err != nil {
		return err
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	if err := r.one(ctx, result, "automatic refresh", func(ctx context.Context) error { return r.pause(ctx, window) }); err != nil {
		return err
	}
	if err := r.refreshEvery(ctx, first, time.Hour); err != nil {
		return err
	}
	return r.settle(ctx)
}

// demand measures a refresh that is asked for.
func (r *Rig) demand(ctx context.Context, result *report.Result) error {
	return r.one(ctx, result, "refresh on demand", func(ctx context.Context) error {
		if err := r.ask(ctx, first, v1alpha2.AnnotationRefresh); err != nil {
			return err
		}
		return r.settle(ctx)
	})
}

// edit measures one image that is replaced by another.
func (r *Rig) edit(ctx context.Context, result *report.Result) error {
	r.wanted = append([]v1alpha2.Image{image(r.Images)}, r.wanted[1:]...)
	return r.one(ctx, result, "edit of one image", func(ctx context.Context) error {
		if err := r.replaceFirst(ctx, first, r.wanted[0]); err != nil {
			return err
		}
		return r.settle(ctx)
	})
}

// another measures a second ImageCache of the same images, which then goes.
func (r *Rig) another(ctx context.Context, result *report.Result) error {
	err := r.one(ctx, result, "second cache, same images", func(ctx context.Context) error {
		if err := r.apply(ctx, newCache(second, r.wanted), nil); err != nil {
			return err
		}
		return r.settle(ctx)
	})
	if err != nil {
		return err
	}
	return r.drop(ctx, second)
}

// Nodes that join, and how fast.
const (
	joining   = 50
	joinEvery = 500 * time.Millisecond
)

// newNodes measures nodes that come and go.
func (r *Rig) newNodes(ctx context.Context, result *report.Result) error {
	from, to := r.Nodes, r.Nodes+joining
	if r.Short {
		to = from + 20
	}
	var jobs map[string]string
	name := fmt.Sprintf("%d new nodes", to-from)
	op, requests, err := r.measure(ctx, name, func(ctx context.Context) error {
		var err error
		jobs, err = r.join(ctx, first, from, to, joinEvery)
		if err != nil {
			return err
		}
		return r.settle(ctx)
	})
	if err != nil {
		return err
	}
	result.Operations = append(result.Operations, op)
	result.Started, result.Cached = latencies(requests, jobs)
	r.say("  Ready to Job: p50 %.2f s, p99 %.2f s; to cached: p50 %.1f s, p99 %.1f s",
		result.Started.P50, result.Started.P99, result.Cached.P50, result.Cached.P99)
	return r.one(ctx, result, "the same nodes leave", func(ctx context.Context) error { return r.leave(ctx, from, to) })
}

// latencies reads from the API server's log when nodes became Ready, when their
// first Job was created, and when their record was written for the last time.
func latencies(requests []accounts.Request, jobs map[string]string) (started, cached report.Latency) {
	ready, job, record := map[string]time.Time{}, map[string]time.Time{}, map[string]time.Time{}
	for i := range requests {
		q := &requests[i]
		switch {
		case q.Code >= 300:
		case q.Resource == "nodes/status" && q.Agent == "kwok":
			firstOf(ready, q.Name, q.Answered)
		case q.Resource == "jobs" && q.Verb == "create" && q.Side() == accounts.Own:
			firstOf(job, jobs[q.Name], q.Received)
		case q.Resource == "nodecaches" && q.Side() == accounts.Own:
			record[q.Name] = q.Answered
		}
	}
	var toJob, toCached []float64
	for node, at := range ready {
		if began, ok := job[node]; ok {
			toJob = append(toJob, began.Sub(at).Seconds())
			toCached = append(toCached, record[node].Sub(at).Seconds())
		}
	}
	return report.Percentiles(toJob), report.Percentiles(toCached)
}

func firstOf(of map[string]time.Time, key string, at time.Time) {
	if _, known := of[key]; !known {
		of[key] = at
	}
}

// restarts measures a controller that was killed with everything cached.
func (r *Rig) restarts(ctx context.Context, result *report.Result) error {
	// The lease of the one before has to run out.
	look := 40 * time.Second
	if r.Short {
		look = 25 * time.Second
	}
	op, _, err := r.measure(ctx, "restart of the controller", func(ctx context.Context) error { return r.restart(ctx, look) })
	if err != nil {
		return err
	}
	used, err := r.controller.usage()
	if err != nil {
		return err
	}
	result.RestartPeakMemory = used.Peak
	result.Operations = append(result.Operations, op)
	return nil
}

// idle measures a while without work, in which the nodes send heartbeats.
func (r *Rig) idle(ctx context.Context, result *report.Result) error {
	length := 2 * time.Minute
	if r.Short {
		length = 10 * time.Second
	}
	op, _, err := r.measure(ctx, "idle", func(ctx context.Context) error { return r.pause(ctx, length) })
	if err != nil {
		return err
	}
	result.Operations = append(result.Operations, op)
	result.IdleSeconds, result.IdleCPU = op.Seconds, 100*op.CPUSeconds/op.Seconds
	r.say("  %.2f %% of a core", result.IdleCPU)
	return nil
}

// purges measures the removal of everything.
func (r *Rig) purges(ctx context.Context, result *report.Result) error {
	err := r.one(ctx, result, "purge", func(ctx context.Context) error {
		if err := r.ask(ctx, first, v1alpha2.AnnotationPurge); err != nil {
			return err
		}
		return r.settle(ctx)
	})
	if err != nil {
		return err
	}
	left, err := r.held(ctx, r.wanted)
	result.Held.AfterPurge = &left
	return err
}

// machine names what this ran on.
func machine() string {
	model := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	kernel := "unknown"
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel = strings.TrimSpace(string(release))
	}
	return fmt.Sprintf("%d cores of %s, Linux %s", runtime.NumCPU(), model, kernel)
}

func commit(ctx context.Context, root string) string {
	out, err := exec.CommandContext(ctx, "git", "-C", root, "describe", "--always", "--dirty", "--tags").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
