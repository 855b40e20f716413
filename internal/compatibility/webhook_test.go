package compatibility

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	"github.com/kubefledged/kubefledged-operator/internal/webhook"
)

// webhookServer returns the names that the webhook server's users know: flags,
// environment, paths, and what the chart calls its objects.
func webhookServer(t *testing.T) []string {
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	options := webhook.DefaultOptions()
	options.AddFlags(fs)
	var names []string
	fs.VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	own := constants(t, "internal/webhook")
	names = append(names, withPrefix(own, "env")...)
	names = append(names, withPrefix(own, "path")...)
	return append(names, chartObjects(t)...)
}

// chartObjects returns Kind/name of what the chart renders with its defaults, and
// the names of its webhooks.
func chartObjects(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, document := range strings.Split(read(t, "helm-charts/testdata/defaults.golden.yaml"), "\n---\n") {
		var object struct {
			Kind     string
			Metadata struct{ Name string }
			Webhooks []struct{ Name string }
		}
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Fatal(err)
		}
		names = append(names, object.Kind+"/"+object.Metadata.Name)
		for _, webhook := range object.Webhooks {
			names = append(names, webhook.Name)
		}
	}
	return names
}
