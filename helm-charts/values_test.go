package charts_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
	"sigs.k8s.io/yaml"
)

// entry is one documented value of values.yaml.
type entry struct {
	path string
	doc  string
	// section entries have documented values below them.
	section bool
	value   any
}

var (
	comment = regexp.MustCompile(`^ *# ?(.*)$`)
	keyLine = regexp.MustCompile(`^( *)([A-Za-z][A-Za-z0-9]*):( .*)?$`)
)

// entries reads values.yaml: what has a comment above it is a value, in the order
// of the file. What has none is part of the value above it.
func entries(t *testing.T) []entry {
	t.Helper()
	content := read(t, "kubefledged/values.yaml")
	defaults := parse(t, content)
	var all []entry
	var path, doc []string
	for _, line := range strings.Split(content, "\n") {
		if m := comment.FindStringSubmatch(line); m != nil {
			doc = append(doc, m[1])
			continue
		}
		if m := keyLine.FindStringSubmatch(line); m != nil {
			depth := len(m[1]) / 2
			path = append(path[:min(depth, len(path))], m[2])
			if len(doc) > 0 {
				e := entry{path: strings.Join(path, "."), doc: strings.Join(doc, " ")}
				e.value = lookup(t, defaults, e.path)
				all = append(all, e)
			}
		}
		doc = nil // a comment that an empty line ends is about the file
	}
	for i := range all {
		all[i].section = i+1 < len(all) && strings.HasPrefix(all[i+1].path, all[i].path+".")
	}
	return all
}

func lookup(t *testing.T, values map[string]any, path string) any {
	t.Helper()
	var value any = values
	for _, key := range strings.Split(path, ".") {
		table, isTable := value.(map[string]any)
		if !isTable || table[key] == nil {
			t.Fatalf("values.yaml has no %s", path)
		}
		value = table[key]
	}
	return value
}

func set(values map[string]any, path string, value any) {
	keys := strings.Split(path, ".")
	for _, key := range keys[:len(keys)-1] {
		below, isTable := values[key].(map[string]any)
		if !isTable {
			below = map[string]any{}
			values[key] = below
		}
		values = below
	}
	values[keys[len(keys)-1]] = value
}

func TestEveryValueIsDocumented(t *testing.T) {
	documented := map[string]bool{}
	sections := map[string]bool{"": true}
	for _, e := range entries(t) {
		documented[e.path] = true
		sections[e.path] = e.section
		if !strings.HasSuffix(e.doc, ".") && !strings.HasSuffix(e.doc, "...") {
			t.Errorf("%s: %q is not a sentence", e.path, e.doc)
		}
	}
	var walk func(values map[string]any, path string)
	walk = func(values map[string]any, path string) {
		for key, value := range values {
			below := strings.TrimPrefix(path+"."+key, ".")
			if !documented[below] {
				t.Errorf("%s has no comment", below)
			}
			if table, isTable := value.(map[string]any); isTable && sections[below] {
				walk(table, below)
			}
		}
	}
	walk(load(t, "kubefledged").Values, "")
}

const ignored = "Ignored: "

// other is a value for each that cannot be guessed from its default: one that the
// schema takes and the default is not. Below "with" is what it needs to matter.
var other = map[string]struct {
	value any
	with  string
}{
	"args.controllerCRISocketPath":            {value: "/run/other.sock"},
	"args.controllerImagePullPolicy":          {value: "Always"},
	"args.controllerImagesPerJob":             {value: 7},
	"args.controllerJobRetentionPolicy":       {value: "retain"},
	"args.controllerLogLevel":                 {value: "ERROR"},
	"args.controllerPullMethod":               {value: "exec"},
	"args.webhookServerCertFile":              {value: "/var/run/secrets/webhook-server/7.crt", with: `webhook: {selfSigned: false}`},
	"args.webhookServerKeyFile":               {value: "/var/run/secrets/webhook-server/7.key", with: `webhook: {selfSigned: false}`},
	"args.webhookServerLogLevel":              {value: "ERROR"},
	"ingress":                                 {value: map[string]any{"enabled": true}},
	"image.kubefledgedControllerTag":          {value: "v7"},
	"image.kubefledgedCRIClientTag":           {value: "v7"},
	"image.kubefledgedWebhookServerTag":       {value: "v7", with: `image: {kubefledgedWebhookServerRepository: a/b}`},
	"image.kubefledgedWebhookServerDigest":    {value: "sha256:" + strings.Repeat("1", 64), with: `image: {kubefledgedWebhookServerRepository: a/b}`},
	"metrics.prometheusRule.runbookURL":       {value: "https://example.com"},
	"metrics.serviceMonitor.interval":         {value: "7s"},
	"metrics.serviceMonitor.scrapeTimeout":    {value: "7s"},
	"networkPolicy.apiServerCIDRs":            {value: []any{"10.7.0.0/16"}},
	"networkPolicy.apiServerPorts":            {value: []any{7}},
	"podSecurityContext":                      {value: map[string]any{"fsGroup": 7}},
	"priorityClass.create":                    {value: false},
	"resources":                               {value: map[string]any{"limits": map[string]any{"memory": "7Gi"}}},
	"controller.resources":                    {value: map[string]any{"limits": map[string]any{"memory": "7Gi"}}},
	"webhookServer.resources":                 {value: map[string]any{"limits": map[string]any{"memory": "7Gi"}}},
	"securityContext":                         {value: map[string]any{"runAsUser": 7}},
	"service.type":                            {value: "NodePort"},
	"webhookService.type":                     {value: "NodePort"},
	"validatingWebhook.failurePolicy":         {value: "Ignore"},
	"webhook.certManager.duration":            {value: "7h", with: `webhook: {certManager: {enabled: true}}`},
	"webhook.certManager.issuerRef":           {value: map[string]any{"name": "seven"}, with: `webhook: {certManager: {enabled: true}}`},
	"webhook.certManager.renewBefore":         {value: "7h", with: `webhook: {certManager: {enabled: true}}`},
	"webhookService.targetPort":               {value: 7},
	"image.pullPolicy":                        {value: "Always"},
	"args.controllerHelperImagePullPolicy":    {value: "Always"},
	"args.controllerExtraArgs":                {value: []any{"--vmodule=a=7"}},
	"args.webhookServerExtraArgs":             {value: []any{"--vmodule=a=7"}},
	"imagePullSecrets":                        {value: []any{map[string]any{"name": "seven"}}},
	"args.controllerHelperImagePullSecrets":   {value: []any{"seven"}},
	"command.kubefledgedControllerCommand":    {value: []any{"/seven"}},
	"command.kubefledgedWebhookServerCommand": {value: []any{"/seven"}},
	"controller.priorityClassName":            {value: "seven"},
	"clusterRole.name":                        {value: "seven"},
	"clusterRoleBinding.name":                 {value: "seven"},
	"clusterRoleBinding.webhookServerName":    {value: "seven"},
	"controller.topologySpreadConstraints":    {value: []any{map[string]any{"topologyKey": "seven"}}},
	"webhookServer.topologySpreadConstraints": {value: []any{map[string]any{"topologyKey": "seven"}}},
	"topologySpreadConstraints":               {value: []any{map[string]any{"topologyKey": "seven"}}},
	"tolerations":                             {value: []any{map[string]any{"operator": "Exists"}}},
	"controller.tolerations":                  {value: []any{map[string]any{"operator": "Exists"}}},
	"webhookServer.tolerations":               {value: []any{map[string]any{"operator": "Exists"}}},
	"networkPolicy.metricsFrom":               {value: []any{map[string]any{"ipBlock": map[string]any{"cidr": "10.7.0.0/16"}}}},
	"image.kubefledgedControllerDigest":       {value: "sha256:" + strings.Repeat("1", 64)},
	"image.kubefledgedCRIClientDigest":        {value: "sha256:" + strings.Repeat("1", 64)},
	"affinity":                                {value: map[string]any{"podAntiAffinity": map[string]any{}}},
	"controller.affinity":                     {value: map[string]any{"podAntiAffinity": map[string]any{}}},
	"webhookServer.affinity":                  {value: map[string]any{"podAntiAffinity": map[string]any{}}},
	"validatingWebhook.namespaceSelector":     {value: map[string]any{"matchLabels": map[string]any{"a": "seven"}}},
}

// guess returns another value of the same type.
func guess(t *testing.T, path string, value any) any {
	t.Helper()
	if fixed, known := other[path]; known {
		return fixed.value
	}
	switch v := value.(type) {
	case bool:
		return !v
	case float64:
		return v + 1
	case int64:
		return v + 1
	case map[string]any:
		return map[string]any{"example.com/a": "seven"}
	case string:
		if regexp.MustCompile(`^[0-9]+[smh]$`).MatchString(v) {
			return "7s"
		}
		return "seven"
	}
	t.Fatalf("%s: no other value is known for %v (%T): add one to this test", path, value, value)
	return nil
}

// Every value changes something, or its comment says that it is ignored. So none
// is left over, and none is misspelled in a template.
func TestEveryValueMatters(t *testing.T) {
	for _, e := range entries(t) {
		if e.section {
			continue
		}
		base := chartutil.CoalesceTables(parse(t, other[e.path].with), valuesOf(t, "everything"))
		// What a component says for itself would hide what is shared.
		if !strings.HasPrefix(e.path, "controller.") && !strings.HasPrefix(e.path, "webhookServer.") {
			delete(base, "controller")
			delete(base, "webhookServer")
		}
		changed := copyOf(t, base)
		set(changed, e.path, guess(t, e.path, current(base, e)))
		before, after := render(t, theRelease(base)), render(t, theRelease(changed))
		delete(before, "kubefledged/templates/NOTES.txt")
		delete(after, "kubefledged/templates/NOTES.txt")
		if matters := !maps.Equal(before, after); matters == strings.HasPrefix(e.doc, ignored) {
			t.Errorf("%s: changes something: %v; its comment: %s", e.path, matters, e.doc)
		}
	}
}

// current is the value that base has, else the default.
func current(base map[string]any, e entry) any {
	var value any = base
	for _, key := range strings.Split(e.path, ".") {
		table, _ := value.(map[string]any)
		value = table[key]
	}
	if value == nil {
		return e.value
	}
	return value
}

func copyOf(t *testing.T, values map[string]any) map[string]any {
	t.Helper()
	content, err := yaml.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(content))
}

const (
	tableStart = "<!-- The table is written by go test ./helm-charts -update, from values.yaml. -->\n"
	tableEnd   = "<!-- End of the table. -->\n"
)

// table is the values as Markdown, in the order of values.yaml.
func table(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	text.WriteString("\n| value | default | |\n|---|---|---|\n")
	for _, e := range entries(t) {
		if e.section {
			text.WriteString("| **`" + e.path + "`** | | **" + strings.ReplaceAll(e.doc, "|", `\|`) + "** |\n")
			continue
		}
		value, err := json.Marshal(e.value)
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString("| `" + e.path + "` | `" + string(value) + "` | " + strings.ReplaceAll(e.doc, "|", `\|`) + " |\n")
	}
	return text.String() + "\n"
}

func TestReadme(t *testing.T) {
	readme := read(t, "kubefledged/README.md")
	before, rest, found := strings.Cut(readme, tableStart)
	_, after, ended := strings.Cut(rest, tableEnd)
	if !found || !ended {
		t.Fatalf("README.md has no place for the table: %q ... %q", tableStart, tableEnd)
	}
	golden(t, "kubefledged/README.md", before+tableStart+table(t)+tableEnd+after)
}

// What the text of the README and the guide name as a value is one.
func TestPagesNameRealValues(t *testing.T) {
	known := map[string]bool{}
	for _, e := range entries(t) {
		known[e.path] = true
	}
	first := map[string]bool{}
	for path := range known {
		section, _, _ := strings.Cut(path, ".")
		first[section] = true
	}
	for _, page := range []string{"kubefledged/README.md", "../docs/guides/install-helm.md"} {
		for _, m := range regexp.MustCompile("`([a-zA-Z]+)((?:\\.[a-zA-Z]+)+)(?:[:=][^`]*)?`").FindAllStringSubmatch(read(t, page), -1) {
			if first[m[1]] && !known[m[1]+m[2]] {
				t.Errorf("%s names %s, which is no value", page, m[1]+m[2])
			}
		}
	}
}

// The alerts link to their sections of the guides.
func TestRunbooks(t *testing.T) {
	rule := mustFind(t, objects(t, theRelease(valuesOf(t, "everything"))), "PrometheusRule", "kubefledged")
	for guide, text := range map[string]string{"install-helm.md": rule.text, "operator.md": read(t, "../config/prometheus/prometheus_rule.yaml")} {
		content := read(t, "../docs/guides/"+guide)
		alerts := regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(text, -1)
		anchors := regexp.MustCompile(regexp.QuoteMeta(guide)+`#(\w+)`).FindAllStringSubmatch(text, -1)
		if len(alerts) < 4 || len(alerts) != len(anchors) {
			t.Fatalf("%s: %d alerts, %d links", guide, len(alerts), len(anchors))
		}
		for i, alert := range alerts {
			if strings.ToLower(alert[1]) != anchors[i][1] || !strings.Contains(content, "\n### "+alert[1]+"\n") {
				t.Errorf("%s links to %s", alert[1], anchors[i][1])
			}
		}
	}
}
