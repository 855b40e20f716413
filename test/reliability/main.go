// Command reliability writes docs/reliability.md from what the scenarios of
// `make e2e-full` have reported, or the same as plain text.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

func main() {
	commit := flag.String("commit", "unknown", "of the run")
	title := flag.String("text", "", "write plain text with this title, and not the page")
	flag.Parse()
	if err := run(*commit, *title, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "reliability:", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

func run(commit, title string, in io.Reader, out io.Writer) error {
	faults, err := lab.ReadFaults(in)
	if err != nil {
		return err
	}
	if len(faults) == 0 {
		return fmt.Errorf("nothing was reported; see %s", lab.ReportVariable)
	}
	written := page(commit, faults)
	if title != "" {
		written = text(title, faults)
	}
	_, err = io.WriteString(out, written)
	return err
}

// head is what stands above the table.
const head = `# Reliability

What was done to a running KubeFledged on real nodes, what should have come of it, and what was seen. This page is written by ` + "`make evidence`" + ` from what the scenarios of ` + "`make e2e-full`" + ` report; do not edit it. It is of commit %s: %d faults, %s.

The nodes run kubelet, containerd and kube-proxy as any node does ([how](../test/cluster/README.md)), on one machine with two cores, so seconds are noisy. Whether an image is on a node is asked of its runtime (CRI ListImages), and what was fetched is counted in the registry's log (blob GETs), never in our own status. The scenarios are in [test/e2e](../test/e2e); ` + "`sudo make e2e-full RUN=Name`" + ` runs one. Installing, upgrading and removing have scenarios of their own: [e2e-operator.txt](evidence/e2e-operator.txt).
`

func page(commit string, faults []lab.Fault) string {
	var b strings.Builder
	fmt.Fprintf(&b, head, commit, len(faults), verdict(faults))
	b.WriteString("\n| scenario | what was done | expected | seen | |\n|---|---|---|---|---|\n")
	for _, f := range faults {
		name, _, _ := strings.Cut(f.Scenario, "/") // without the case of its table
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", name, cell(f.Injected), cell(f.Expected), seen(f), result(f))
	}
	return b.String()
}

func verdict(faults []lab.Fault) string {
	failed := 0
	for _, f := range faults {
		if !f.Passed {
			failed++
		}
	}
	if failed == 0 {
		return "all as expected"
	}
	return fmt.Sprintf("%d not as expected", failed)
}

func result(f lab.Fault) string {
	if f.Passed {
		return "ok"
	}
	return "**failed**"
}

func seen(f lab.Fault) string {
	cells := make([]string, len(f.Seen))
	for i, line := range f.Seen {
		cells[i] = cell(line)
	}
	return strings.Join(cells, "<br>")
}

// cell makes text that a table row can hold.
func cell(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;").Replace(text)
}
