package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/kubefledged/kubefledged-operator/test/scale/accounts"
)

// ReadAll reads the results of a directory, the smallest first, and those of
// --images-per-job=auto after the others of their size.
func ReadAll(dir string) ([]*Result, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var all []*Result
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		r := &Result{}
		if err := json.Unmarshal(content, r); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *Result) int {
		auto := func(r *Result) int { return map[bool]int{true: 1}[r.ImagesPerJob == 0] }
		return cmp.Or(a.Pairs-b.Pairs, a.JobControllerQPS-b.JobControllerQPS, auto(a)-auto(b), a.ImagesPerJob-b.ImagesPerJob)
	})
	return all, nil
}

const introduction = `# Simulated nodes

Written by ` + "`make scale`" + ` from its results in [%[1]s/](%[1]s); the figures of one column are of one run.

A real etcd, API server, controller manager (Job controller, garbage collector) and scheduler run with simulated nodes. kwok makes the nodes Ready and renews their leases. A small program stands in for the kubelets, because kwok's stages know neither what a single image of a pod does nor what a node has pulled before: it gives each pod of a Job the statuses that a kubelet gives it (ContainerCreating; one second for the sandbox and a tenth of a second for each pull, one after another on a node; ended, or ErrImagePull and then ImagePullBackOff; sandbox gone), and reports ` + "`node.status.images`" + ` 40 seconds late, with at most five names for an image, cut by size at as many images as the table says. Nothing is pulled, and the Events of kubelets, up to 25 for a pod whoever made it, are left out but for pods with a slow image (15 s), for which the controller reads them. The image-cache controller is this checkout's, with the chart's settings and its own role.

Every count is the API server's: its audit log, by user; its metrics agree. *Own* writes are the controller's. *Provoked* are those of the Job controller, the kubelets and the garbage collector because of it. The heartbeats of nodes are left out of both. Whether an image is on a node is the simulated kubelets' word, and not the product's. The *floor* of a run is a hundred Jobs written by hand, each for ten images on one node, created all at once before the controller is there.

`

// Page returns the page of all results, which are in a directory beside it.
func Page(dir string, all []*Result) string {
	var page strings.Builder
	fmt.Fprintf(&page, introduction, dir)
	summary(&page, all)
	for _, r := range all {
		section(&page, dir, r)
	}
	return page.String()
}

// notMeasured stands for a figure that a run does not have.
const notMeasured = "-"

// row is a line of the summary: what it is and its value in a run.
type row struct {
	name  string
	value func(*Result) string
}

func rows() []row {
	const mib = 1 << 20
	figure := func(name, format string) func(*Result) string {
		return func(r *Result) string {
			v, ok := r.Figures()[name]
			if !ok {
				return notMeasured
			}
			return fmt.Sprintf(format, v)
		}
	}
	return []row{
		{"pairs of image and node", func(r *Result) string { return fmt.Sprint(r.Pairs) }},
		{"Job controller's requests per second", func(r *Result) string { return fmt.Sprint(r.JobControllerQPS) }},
		{"images per Job", (*Result).perJob},
		{"images that a node reports, at most", func(r *Result) string { return noted(r.Listed, "%d") }},
		{"nodes renew their leases every", func(r *Result) string { return noted(r.LeaseSeconds/4, "%d s") }},
		{"from apply to Succeeded", figure("seconds", "%.0f s")},
		{"pairs that were there then", func(r *Result) string { return noted(r.Held.AfterCreate, "%d") }},
		{"pairs that were left after the purge", figure("heldAfterPurge", "%.0f")},
		{"100 Jobs by hand, 1,000 pairs", func(r *Result) string { return fmt.Sprintf("%.0f s", r.Floor.Seconds) }},
		{"time per pair, in times of that by hand", figure("secondsToFloor", "%.2f")},
		{"pairs a second, against those by hand", func(r *Result) string {
			return fmt.Sprintf("%.0f / %.0f", float64(r.Pairs)/r.Seconds, float64(r.Floor.Pairs)/r.Floor.Seconds)
		}},
		{"writes per pair, create and clean up", figure("writesPerPair", "%.2f")},
		{"of those, own", figure("ownWritesPerPair", "%.2f")},
		{"writes per pair, by hand", figure("floorWritesPerPair", "%.2f")},
		{"controller: CPU for creating all", figure("createCPUSeconds", "%.1f s")},
		{"controller: peak memory", func(r *Result) string { return fmt.Sprintf("%d MiB", r.PeakMemory/mib) }},
		{"controller: CPU when idle", figure("idleCPUPercent", "%.2f %% of a core")},
		{"new node: Ready to its Job, p50 / p99", func(r *Result) string { return r.Started.text("%.2f") }},
		{"new node: Ready to all cached, p50 / p99", func(r *Result) string { return r.Cached.text("%.1f") }},
		{"controller ended, its lease lost to a busy API server", figure("controllerEnded", "%.0f times")},
		{"largest NodeCache / ImageCache", func(r *Result) string { return fmt.Sprintf("%d / %d bytes", r.NodeCacheBytes, r.ImageCacheBytes) }},
	}
}

// text is the median and the 99th percentile in seconds.
func (l *Latency) text(format string) string {
	if l.Count == 0 {
		return notMeasured
	}
	return fmt.Sprintf(format+" / "+format+" s", l.P50, l.P99)
}

// noted is a number, or a dash in a result from before it was kept, or without
// the part of the run that measures it.
func noted(n int, format string) string {
	if n == 0 {
		return notMeasured
	}
	return fmt.Sprintf(format, n)
}

func (r *Result) perJob() string {
	if r.ImagesPerJob == 0 {
		return "auto"
	}
	return strconv.Itoa(r.ImagesPerJob)
}

func summary(page *strings.Builder, all []*Result) {
	page.WriteString("|")
	for _, r := range all {
		fmt.Fprintf(page, " | %s", r.Size())
	}
	page.WriteString(" |\n|---" + strings.Repeat("|---", len(all)) + "|\n")
	for _, row := range rows() {
		var values []string
		for _, r := range all {
			values = append(values, row.value(r))
		}
		if slices.ContainsFunc(values, func(v string) bool { return v != notMeasured }) {
			page.WriteString("| " + row.name + " | " + strings.Join(values, " | ") + " |\n")
		}
	}
}

// lists tells whether what nodes report is cut, where a run has waited for that.
func (r *Result) lists() string {
	switch {
	case r.Operation("nodes report their images") == nil:
		return ""
	case r.ListFull:
		return " The nodes' own lists of images are full."
	default:
		return " The nodes' own lists of images are not full."
	}
}

// section is one run: its plot and what each operation cost.
func section(page *strings.Builder, dir string, r *Result) {
	fmt.Fprintf(page, "\n## %d nodes, %d images, Job controller at %d requests per second, images per Job: %s\n\n",
		r.Nodes, r.Images, r.JobControllerQPS, r.perJob())
	fmt.Fprintf(page, "![cached pairs over time](%s/%s.svg)\n\nOn %s, commit %s, %s.%s\n\n", dir, r.Name(), r.Machine, r.Commit, r.Date, r.lists())
	page.WriteString("| operation | time | Jobs | own writes | provoked writes | own reads | CPU | what is written by us |\n|---|---|---|---|---|---|---|---|\n")
	for i := range r.Operations {
		op := &r.Operations[i]
		var own []string
		for _, what := range accounts.Largest(op.Tally.Own) {
			own = append(own, fmt.Sprintf("%s %d", what, op.Tally.Own[what]))
		}
		fmt.Fprintf(page, "| %s | %.0f s | %d | %d | %d | %d | %.2f s | %s |\n", op.Name, op.Seconds, op.Tally.Own["create jobs"],
			accounts.Sum(op.Tally.Own), accounts.Sum(op.Tally.Provoked), accounts.Sum(op.Tally.Reads), op.CPUSeconds, strings.Join(own, ", "))
	}
}
