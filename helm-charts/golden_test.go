package charts_test

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
)

// cases are the installations whose manifests are in testdata: a values file
// each, and defaults without one.
func cases(t *testing.T) map[string]release {
	t.Helper()
	files, err := filepath.Glob("testdata/*.values.yaml")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d values files, %v", len(files), err)
	}
	all := map[string]release{"defaults": theRelease(nil)}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".values.yaml")
		all[name] = theRelease(valuesOf(t, name))
	}
	return all
}

func TestGolden(t *testing.T) {
	for name, r := range cases(t) {
		t.Run(name, func(t *testing.T) {
			golden(t, filepath.Join("testdata", name+".golden.yaml"), join(render(t, r)))
		})
	}
}

// The operator compares what it renders with what is there: twice the same
// values are twice the same bytes, in an upgrade too.
func TestRenderedTwiceIsTheSame(t *testing.T) {
	for name, r := range cases(t) {
		if first, second := render(t, r), render(t, r); !maps.Equal(first, second) {
			t.Errorf("%s differs:\n%s", name, firstDifference(join(first), join(second)))
		}
	}
}

// What depends on the time, on chance or on the cluster is not in templates, and
// neither is what a running webhook server has written.
func TestTemplatesAreFunctionsOfValues(t *testing.T) {
	forbidden := regexp.MustCompile(`\b(now|date|genCA\w*|genSelfSignedCert\w*|genSignedCert\w*|genPrivateKey|rand\w+|uuidv4|htpasswd|bcrypt|shuffle|lookup|getHostByName|derivePassword|Capabilities|Revision|IsInstall|IsUpgrade|caBundle)\b`)
	for _, template := range load(t, "kubefledged").Templates {
		for _, action := range regexp.MustCompile(`(?s)\{\{.*?\}\}|caBundle`).FindAllString(string(template.Data), -1) {
			if found := forbidden.FindString(action); found != "" && !strings.HasPrefix(action, "{{/*") {
				t.Errorf("%s: %s in %s", template.Name, found, action)
			}
		}
	}
}

func TestKubernetesVersions(t *testing.T) {
	wanted := load(t, "kubefledged").Metadata.KubeVersion
	for version, fits := range map[string]bool{"v1.29.9": false, "v1.30.0": true, "v1.37.2": true, "v1.33.1-eks-1234": true, "v1.34.1+k3s1": true} {
		if got := chartutil.IsCompatibleRange(wanted, version); got != fits {
			t.Errorf("Kubernetes %s: %v, want %v", version, got, fits)
		}
	}
}

// The notes name commands with this release's names.
func TestNotes(t *testing.T) {
	notes := func(values string) string {
		r := theRelease(parse(t, values))
		r.namespace = "caches"
		return render(t, r)["kubefledged/templates/NOTES.txt"]
	}
	if got := notes(`{}`); !strings.Contains(got, "kubectl get pods -n caches -l app=kubefledged\n") || strings.Contains(got, "no webhook server") {
		t.Error(got)
	}
	if got := notes(`webhook: {enabled: false}`); !strings.Contains(got, "There is no webhook server") {
		t.Error(got)
	}
	if got := notes(`removal: {createNamespace: false}`); !strings.Contains(got, "namespace caches-node, which must exist") {
		t.Error(got)
	}
}

// A switch must take its objects away, and no others.
func TestSwitches(t *testing.T) {
	names := func(r release) []string {
		var all []string
		for _, o := range objects(t, r) {
			all = append(all, o.String())
		}
		return all
	}
	everything := names(theRelease(valuesOf(t, "everything")))
	for values, gone := range map[string]string{
		`webhook: {enabled: false}`:                   "(webhook-server|webhook-server-certificate)$",
		`webhookServer: {enable: false}`:              "(webhook-server|webhook-server-certificate)$",
		`webhookService: {create: false}`:             "^(Service|ServiceMonitor)/kubefledged-webhook-server$",
		`validatingWebhook: {create: false}`:          "^ValidatingWebhookConfiguration/",
		`removal: {enabled: false}`:                   "^Namespace/|^NetworkPolicy/kubefledged-removal$",
		`removal: {createNamespace: false}`:           "^Namespace/|^NetworkPolicy/kubefledged-removal$",
		`serviceAccount: {create: false}`:             "^ServiceAccount/",
		`clusterRole: {create: false}`:                "^(ClusterRole|Role)/",
		`clusterRole: {aggregate: false}`:             "^ClusterRole/kubefledged-imagecache-",
		`clusterRoleBinding: {create: false}`:         "^(ClusterRoleBinding|RoleBinding)/",
		`podDisruptionBudget: {enabled: false}`:       "^PodDisruptionBudget/",
		`controllerReplicaCount: 1`:                   "^PodDisruptionBudget/kubefledged-controller$",
		`webhookServerReplicaCount: 1`:                "^PodDisruptionBudget/kubefledged-webhook-server$",
		`networkPolicy: {enabled: false}`:             "^NetworkPolicy/",
		`priorityClass: {create: false}`:              "^PriorityClass/",
		`metrics: {enabled: false}`:                   "^(Service/kubefledged-controller|(ServiceMonitor|PrometheusRule|ConfigMap)/.*)$",
		`metrics: {serviceMonitor: {enabled: false}}`: "^ServiceMonitor/",
		`metrics: {prometheusRule: {enabled: false}}`: "^PrometheusRule/",
		`metrics: {dashboard: {enabled: false}}`:      "^ConfigMap/",
		`webhook: {selfSigned: false}`:                "-webhook-server-certificate$",
	} {
		pattern, hits := regexp.MustCompile(gone), 0
		var want []string
		for _, name := range everything {
			if pattern.MatchString(name) {
				hits++
			} else {
				want = append(want, name)
			}
		}
		merged := chartutil.CoalesceTables(parse(t, values), valuesOf(t, "everything"))
		if got := names(theRelease(merged)); hits == 0 || !slices.Equal(got, want) {
			t.Errorf("%s leaves\n%s\nwant\n%s", values, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}
