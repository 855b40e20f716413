package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// text has a block per scenario, with the seconds that it took.
func text(title string, faults []lab.Fault) string {
	faults = slices.Clone(faults)
	slices.SortStableFunc(faults, func(a, b lab.Fault) int { return cmp.Compare(a.Scenario, b.Scenario) })
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d scenarios, %s\n", title, len(faults), verdict(faults))
	for _, f := range faults {
		result := "ok"
		if !f.Passed {
			result = "FAILED"
		}
		fmt.Fprintf(&b, "\n%s: %s, %.0f s\n", f.Scenario, result, f.Seconds)
		fmt.Fprintf(&b, "  done      %s\n  expected  %s\n", oneLine(f.Injected), oneLine(f.Expected))
		for i, line := range f.Seen {
			label := ""
			if i == 0 {
				label = "seen"
			}
			fmt.Fprintf(&b, "  %-8s  %s\n", label, oneLine(line))
		}
	}
	return b.String()
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
