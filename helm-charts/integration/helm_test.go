package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/cli"
	"sigs.k8s.io/yaml"
)

const (
	helmRelease   = "kubefledged-helm"
	helmNamespace = "helm-caches"
)

// helm returns Helm as a user's machine has it.
func helm(t *testing.T) *action.Configuration {
	t.Helper()
	kubeconfig, err := cp.Kubeconfig()
	if err != nil {
		t.Fatal(err)
	}
	settings := cli.New()
	settings.KubeConfig = kubeconfig
	settings.SetNamespace(helmNamespace)
	configuration := &action.Configuration{}
	if err := configuration.Init(settings.RESTClientGetter(), helmNamespace, "secret", func(string, ...any) {}); err != nil {
		t.Fatal(err)
	}
	return configuration
}

// ofRelease lists what is there of the release, by the label of all its objects.
// Without a namespace controller a namespace stays until its finalizer is taken.
func ofRelease(t *testing.T) []string {
	t.Helper()
	kinds := "namespaces,clusterroles,clusterrolebindings,validatingwebhookconfigurations,priorityclasses,roles,rolebindings," +
		"services,serviceaccounts,deployments,poddisruptionbudgets,networkpolicies,configmaps"
	output := mustKubectl(t, "", "get", kinds, "-A", "--ignore-not-found", "-l", "app.kubernetes.io/instance="+helmRelease,
		"-o", `jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.deletionTimestamp}{"\n"}{end}`)
	var names []string
	for _, line := range strings.Split(output, "\n") {
		if name, deleted, _ := strings.Cut(line, " "); name != "" && deleted == "" {
			names = append(names, name)
		}
	}
	return names
}

func everything(t *testing.T) map[string]any {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "testdata", "everything.values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{}
	if err := yaml.Unmarshal(content, &values); err != nil {
		t.Fatal(err)
	}
	// The kinds of the Prometheus operator are not here.
	values["metrics"] = map[string]any{"dashboard": map[string]any{"enabled": true}}
	return values
}

func loadChart(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.LoadDir("../kubefledged")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// From nothing to everything, back to the defaults, and to nothing: Helm finds an
// order in which the API server takes the objects, and leaves none.
func TestHelmInstallsUpgradesAndUninstalls(t *testing.T) {
	install := action.NewInstall(helm(t))
	install.ReleaseName, install.Namespace, install.CreateNamespace, install.Timeout = helmRelease, helmNamespace, true, time.Minute
	if _, err := install.Run(loadChart(t), everything(t)); err != nil {
		t.Fatal(err)
	}
	all := ofRelease(t)
	if len(all) < 25 {
		t.Errorf("only %v", all)
	}

	upgrade := action.NewUpgrade(helm(t))
	upgrade.Namespace, upgrade.ResetValues, upgrade.Timeout = helmNamespace, true, time.Minute
	if _, err := upgrade.Run(helmRelease, loadChart(t), nil); err != nil {
		t.Fatal(err)
	}
	gone := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(ofRelease(t), name) })
	slices.Sort(gone)
	want := []string{
		"ConfigMap/kubefledged-helm-dashboard",
		"NetworkPolicy/kubefledged-helm-controller", "NetworkPolicy/kubefledged-helm-removal", "NetworkPolicy/kubefledged-helm-webhook-server",
		"PodDisruptionBudget/kubefledged-helm-controller",
		"PriorityClass/kubefledged-helm", "PriorityClass/kubefledged-helm-jobs",
	}
	if diff := cmp.Diff(want, gone); diff != "" {
		t.Errorf("the upgrade to the defaults (-should go +goes)\n%s", diff)
	}

	// The same values again: nothing is sent that the API server would count as a change.
	const generations = `jsonpath={range .items[*]}{.metadata.name} {.metadata.generation}{"\n"}{end}`
	before := mustKubectl(t, "", "get", "deployments,validatingwebhookconfigurations,networkpolicies", "-A", "-l", "app.kubernetes.io/instance="+helmRelease, "-o", generations)
	again := action.NewUpgrade(helm(t))
	again.Namespace, again.ResetValues, again.Timeout = helmNamespace, true, time.Minute
	if _, err := again.Run(helmRelease, loadChart(t), nil); err != nil {
		t.Fatal(err)
	}
	after := mustKubectl(t, "", "get", "deployments,validatingwebhookconfigurations,networkpolicies", "-A", "-l", "app.kubernetes.io/instance="+helmRelease, "-o", generations)
	if before != after || before == "" {
		t.Errorf("an upgrade without a change makes\n%s of\n%s", after, before)
	}

	if _, err := action.NewUninstall(helm(t)).Run(helmRelease); err != nil {
		t.Fatal(err)
	}
	if left := ofRelease(t); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// testCA is a certificate, as caBundle takes it; the API server looks whether it is one.
const testCA = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJjVENDQVJlZ0F3SUJBZ0lVYURIeERudkdOK3FrdjU4QXcvRExiN0UzQjVvd0NnWUlLb1pJemowRUF3SXcKRFRFTE1Ba0dBMVVFQXd3Q1kyRXdJQmNOTWpZeE1USXpNREF4TkRJMFdoZ1BNakV5TmpFd016QXdNREUwTWpSYQpNQTB4Q3pBSkJnTlZCQU1NQW1OaE1Ga3dFd1lIS29aSXpqMENBUVlJS29aSXpqMERBUWNEUWdBRWFtODdPTFFmCkdJdVl2alh4UHNacFFlMWU3akl4UElQK3FpYWgwSWx4VGVLUzZEbk9DQzBzL2N3NGYrWUFoSzNMdzBnYnlaQU0KZENuWEFpc0pjQzhMSktOVE1GRXdIUVlEVlIwT0JCWUVGQ0NZSGZwOXMyVW1OS2NDNjQ5cTUydS9nWGwyTUI4RwpBMVVkSXdRWU1CYUFGQ0NZSGZwOXMyVW1OS2NDNjQ5cTUydS9nWGwyTUE4R0ExVWRFd0VCL3dRRk1BTUJBZjh3CkNnWUlLb1pJemowRUF3SURTQUF3UlFJaEFLQkRXMUFXUjBDd1RxQ3dLaEFIYm9uYmhaOFFSMDhDMjlwSFAxVHAKc0gwZEFpQUhEOXc3L1gwZ013UVBPdjlhR3QwTGY3WUhJYUdTTzVkT2hYQ0hyWDI5K3c9PQotLS0tLUVORCBDRVJUSUZJQ0FURS0tLS0tCg=="

// A CA that the webhook server has written outlives an upgrade: the chart says
// nothing of it.
func TestUpgradeKeepsTheCA(t *testing.T) {
	install := action.NewInstall(helm(t))
	install.ReleaseName, install.Namespace, install.CreateNamespace, install.Timeout = helmRelease+"-ca", helmNamespace, true, time.Minute
	// A namespace of removals that no other test has deleted.
	values := map[string]any{"removal": map[string]any{"namespace": "helm-removals"}}
	if _, err := install.Run(loadChart(t), values); err != nil {
		t.Fatal(err)
	}
	const configuration = helmRelease + "-ca-webhook-server"
	patch := `[{"op":"add","path":"/webhooks/0/clientConfig/caBundle","value":"` + testCA + `"}]`
	mustKubectl(t, "", "patch", "validatingwebhookconfiguration", configuration, "--type=json", "-p", patch)
	for _, seconds := range []int{11, 12} {
		upgrade := action.NewUpgrade(helm(t))
		upgrade.Namespace, upgrade.ResetValues, upgrade.Timeout = helmNamespace, true, time.Minute
		values["validatingWebhook"] = map[string]any{"timeoutSeconds": seconds}
		if _, err := upgrade.Run(helmRelease+"-ca", loadChart(t), values); err != nil {
			t.Fatal(err)
		}
		got := mustKubectl(t, "", "get", "validatingwebhookconfiguration", configuration, "-o", "jsonpath={.webhooks[0].timeoutSeconds} {.webhooks[0].clientConfig.caBundle}")
		if want := map[int]string{11: "11 ", 12: "12 "}[seconds] + testCA; got != want {
			t.Errorf("after the upgrade: %s", got)
		}
	}
	if _, err := action.NewUninstall(helm(t)).Run(helmRelease + "-ca"); err != nil {
		t.Fatal(err)
	}
}
