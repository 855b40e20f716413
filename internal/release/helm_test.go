package release

import (
	"strings"
	"testing"
	"testing/fstest"

	"helm.sh/helm/v3/pkg/chartutil"
	corev1 "k8s.io/api/core/v1"

	helmcharts "github.com/kubefledged/kubefledged-operator/helm-charts"
)

func load(t *testing.T, template string) *Chart {
	t.Helper()
	files := fstest.MapFS{
		"charts/toy/Chart.yaml":              {Data: []byte("apiVersion: v2\nname: toy\nversion: 1.2.3\nappVersion: v4\n")},
		"charts/toy/values.yaml":             {Data: []byte("size: 1\nlist: [a]\n")},
		"charts/toy/values.schema.json":      {Data: []byte(`{"properties":{"size":{"type":"integer"}}}`)},
		"charts/toy/templates/NOTES.txt":     {Data: []byte("installed")},
		"charts/toy/templates/objects.yaml":  {Data: []byte(template)},
		"charts/toy/templates/_helpers.tpl":  {Data: []byte("")},
		"charts/toy/templates/tests/no.yaml": {Data: []byte("")},
	}
	chart, err := LoadChart(files, "charts/toy")
	if err != nil {
		t.Fatal(err)
	}
	return chart
}

const template = `
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {size: "{{ .Values.size }}", revision: "{{ .Release.Revision }}", found: "{{ lookup "v1" "Namespace" "" "default" | len }}"}
---
apiVersion: v1
kind: Namespace
metadata: {name: {{ .Release.Namespace }}-node}
`

func TestRender(t *testing.T) {
	chart := load(t, template)
	if chart.Name() != "toy" || chart.Version() != "1.2.3" || chart.AppVersion() != "v4" {
		t.Errorf("%s %s %s", chart.Name(), chart.Version(), chart.AppVersion())
	}
	first, err := chart.Render("r", "ns", map[string]any{"size": int64(7)}, chartutil.DefaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(first, `size: "7"`) || !strings.Contains(first, `revision: "1"`) || strings.Contains(first, "installed") {
		t.Error(first)
	}
	if strings.Index(first, "kind: Namespace") > strings.Index(first, "kind: ConfigMap") {
		t.Error("the namespace has to come first")
	}
	for range 3 {
		again, err := chart.Render("r", "ns", map[string]any{"size": int64(7)}, chartutil.DefaultCapabilities)
		if err != nil || again != first {
			t.Fatalf("not the same: %v\n%s", err, again)
		}
	}
	defaults, err := chart.Render("r", "ns", nil, chartutil.DefaultCapabilities)
	if err != nil || !strings.Contains(defaults, `size: "1"`) {
		t.Errorf("values of an earlier rendering stay in the chart: %v\n%s", err, defaults)
	}
}

func TestRenderRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		release, template, words string
		values                   map[string]any
	}{
		"a long name":    {strings.Repeat("x", 54), template, "53 characters", nil},
		"a bad name":     {"Upper", template, "cannot be one", nil},
		"a bad value":    {"r", template, "/size", map[string]any{"size": "large"}},
		"a bad template": {"r", `{{ fail "no such thing" }}`, "no such thing", nil},
	} {
		if _, err := load(t, test.template).Render(test.release, "ns", test.values, chartutil.DefaultCapabilities); err == nil || !strings.Contains(err.Error(), test.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheEmbeddedChartLoads(t *testing.T) {
	chart, err := LoadChart(helmcharts.Files, helmcharts.KubeFledged)
	if err != nil {
		t.Fatal(err)
	}
	if len(chart.chart.CRDObjects()) > 0 {
		t.Error("it has CRDs, which are not the chart's to install")
	}
	if _, err := LoadChart(helmcharts.Files, "nowhere"); err == nil {
		t.Error("a chart that is not there is loaded")
	}
}

// What is no record must neither be taken for one nor crash anything.
func TestDecodeRefuses(t *testing.T) {
	for name, content := range map[string]string{
		"nothing": "", "text": "garbage", "base64": "Z2FyYmFnZQ==", "compressed nothing": "H4sIAAAAAAAAAwMAAAAAAAAAAAA=", "half": "H4sIAAAAAAAA/6pWKkktLlGyUlAqS8wp",
		"an empty object": "H4sIAAAAAAAAA6uuBQBDv6ajAgAAAA==",
	} {
		if r, err := decode(&corev1.Secret{Data: map[string][]byte{"release": []byte(content)}}); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
