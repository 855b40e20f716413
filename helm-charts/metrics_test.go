package charts_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/kubefledged/kubefledged-operator/controllers"
	"github.com/kubefledged/kubefledged-operator/controllers/kubefledged"
	_ "github.com/kubefledged/kubefledged-operator/internal/webhook" // has metrics, too
)

// served returns the names of all metrics that our programs register, with the
// endings of histograms.
func served(t *testing.T) []string {
	t.Helper()
	registry, ok := metrics.Registry.(prometheus.Collector)
	if !ok {
		t.Fatalf("%T does not describe itself", metrics.Registry)
	}
	descriptions := make(chan *prometheus.Desc)
	go func() {
		defer close(descriptions)
		for _, c := range []prometheus.Collector{registry, controllers.Gauges(nil), kubefledged.Gauges(nil)} {
			c.Describe(descriptions)
		}
	}()
	names := []string{"up"} // Prometheus' own
	for d := range descriptions {
		name := regexp.MustCompile(`fqName: "([^"]+)"`).FindStringSubmatch(d.String())[1]
		names = append(names, name, name+"_bucket", name+"_count", name+"_sum")
	}
	return names
}

// Rules, dashboard and documentation name metrics that are served, and the
// documentation all of ours.
func TestMetricsExist(t *testing.T) {
	everything := render(t, theRelease(valuesOf(t, "everything")))
	texts := map[string]string{
		"rules of the chart": everything["kubefledged/templates/monitoring/prometheusrule.yaml"],
		"dashboard":          everything["kubefledged/templates/monitoring/dashboard.yaml"],
		"config/prometheus":  read(t, "../config/prometheus/prometheus_rule.yaml"),
	}
	names := served(t)
	for what, text := range texts {
		seen := regexp.MustCompile(`\b([a-z][a-z_]*[a-z])(?:\{|\[)`).FindAllStringSubmatch(text, -1)
		if len(seen) < 4 {
			t.Errorf("%s: found %v", what, seen)
		}
		for _, m := range seen {
			if !slices.Contains(names, m[1]) {
				t.Errorf("%s: %s is no metric", what, m[1])
			}
		}
	}
	var documented []string
	for _, page := range []string{"install-helm", "operator", "webhook"} {
		for _, m := range regexp.MustCompile("(?m)^\\| `(kubefledged_[a-z_]+)` \\|").FindAllStringSubmatch(read(t, "../docs/guides/"+page+".md"), -1) {
			documented = append(documented, m[1])
			if !slices.Contains(names, m[1]) {
				t.Errorf("%s.md: %s is no metric", page, m[1])
			}
		}
	}
	for _, name := range names {
		base := regexp.MustCompile("_(bucket|count|sum)$").ReplaceAllString(name, "")
		if strings.HasPrefix(base, "kubefledged_") && !slices.Contains(documented, base) {
			t.Errorf("no guide has %s", base)
		}
	}
}

func TestDashboard(t *testing.T) {
	var dashboard struct {
		Panels []struct {
			ID    int
			Title string
		}
	}
	if err := json.Unmarshal([]byte(read(t, "kubefledged/files/dashboard.json")), &dashboard); err != nil || len(dashboard.Panels) < 5 {
		t.Fatalf("%d panels, %v", len(dashboard.Panels), err)
	}
	seen := map[int]bool{}
	for _, panel := range dashboard.Panels {
		if seen[panel.ID] || panel.Title == "" {
			t.Errorf("panel %d %q", panel.ID, panel.Title)
		}
		seen[panel.ID] = true
	}
}
