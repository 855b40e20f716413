//go:build e2e

package operator

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// idleTime is how long nothing may be written when nothing happens.
const idleTime = time.Minute

// written is what may change by us only. Leases, pods and nodes change anyway.
var written = []string{
	"kubefledgeds", "imagecaches", "nodecaches", "jobs", "deployments", "services", "serviceaccounts", "secrets", "configmaps",
	"namespaces", "poddisruptionbudgets", "networkpolicies", "roles", "rolebindings", "clusterroles", "clusterrolebindings",
	"validatingwebhookconfigurations",
}

// When nothing happens the operator and what it installed write nothing, by the
// API server's own count.
func TestIdle(t *testing.T) {
	w := newWorld(t)
	w.make("deploy-using-operator", oldTag)
	w.ready()
	w.tutorial()
	time.Sleep(quietTime)

	records, before := w.statuses(), w.writes()
	time.Sleep(idleTime)
	after := w.writes()
	total := 0
	for _, request := range slices.Sorted(maps.Keys(after)) {
		total += after[request]
		if more := after[request] - before[request]; more > 0 {
			w.Errorf("%d times %s within %s", more, request, idleTime)
		}
	}
	if total == 0 {
		w.Error("no request was counted at all")
	}
	if now := w.statuses(); !slices.Equal(records, now) {
		w.Errorf("records of the release were %v and are %v", records, now)
	}
	w.Logf("%d writes until then, none within %s", total, idleTime)
}

var (
	requestLine = regexp.MustCompile(`(?m)^apiserver_request_total\{(.*)\} ([0-9.e+]+)$`)
	labelValue  = regexp.MustCompile(`(\w+)="([^"]*)"`)
)

// writes counts the API server's answers to requests that change something.
func (w *world) writes() map[string]int {
	w.Helper()
	counts := map[string]int{}
	for _, line := range requestLine.FindAllStringSubmatch(w.kubectl("get", "--raw", "/metrics"), -1) {
		labels := map[string]string{}
		for _, pair := range labelValue.FindAllStringSubmatch(line[1], -1) {
			labels[pair[1]] = pair[2]
		}
		verb := labels["verb"]
		if !slices.Contains(written, labels["resource"]) || !slices.Contains([]string{"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"}, verb) ||
			labels["subresource"] == "token" {
			continue
		}
		var count float64
		_, err := fmt.Sscan(line[2], &count)
		w.check(err)
		counts[strings.TrimSuffix(verb+" "+labels["resource"]+"/"+labels["subresource"], "/")] += int(count)
	}
	return counts
}
