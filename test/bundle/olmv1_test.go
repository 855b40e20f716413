package bundle

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/operator-framework/api/pkg/manifests"
	"github.com/operator-framework/api/pkg/operators/v1alpha1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"
)

// The rules of OLM v1 for bundles of registry+v1, as operator-controller 1.11
// has them. It was not run: these are its rules, checked on the files.

// registryV1 is what the rules are about.
type registryV1 struct {
	*manifests.Bundle
	// folders below manifests/.
	folders []string
	// types of the entries of properties.yaml and dependencies.yaml.
	properties []string
	// bytes of all manifests.
	bytes int64
}

func readRegistryV1(t *testing.T, dir string) registryV1 {
	t.Helper()
	bundle := registryV1{Bundle: load(t, dir)}
	entries, err := os.ReadDir(filepath.Join(dir, "manifests"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		bundle.bytes += info.Size()
		if entry.IsDir() {
			bundle.folders = append(bundle.folders, entry.Name())
		}
	}
	for file, key := range map[string]string{"properties.yaml": "properties", "dependencies.yaml": "dependencies"} {
		name := filepath.Join(dir, "metadata", file)
		if _, err := os.Stat(name); err != nil {
			continue
		}
		var content map[string][]property
		decodeLoose(t, name, &content)
		for _, p := range content[key] {
			bundle.properties = append(bundle.properties, p.Type)
		}
	}
	return bundle
}

// rules of OLM v1, each of which returns what is against it.
var rules = map[string]func(registryV1) []string{
	"AllNamespaces is supported": func(b registryV1) []string {
		for _, mode := range b.CSV.Spec.InstallModes {
			if mode.Type == v1alpha1.InstallModeTypeAllNamespaces && mode.Supported {
				return nil
			}
		}
		return []string{"it is not"}
	},
	"nothing else is needed": func(b registryV1) []string {
		var needed []string
		for _, kind := range b.properties {
			if slices.Contains([]string{"olm.gvk.required", "olm.package.required", "olm.constraint", "olm.gvk", "olm.package"}, kind) {
				needed = append(needed, kind)
			}
		}
		for _, crd := range b.CSV.Spec.CustomResourceDefinitions.Required {
			needed = append(needed, crd.Name)
		}
		return needed
	},
	"no API services": func(b registryV1) []string {
		var names []string
		for _, service := range slices.Concat(b.CSV.Spec.APIServiceDefinitions.Owned, b.CSV.Spec.APIServiceDefinitions.Required) {
			names = append(names, service.Name)
		}
		return names
	},
	"no OperatorConditions": func(b registryV1) []string {
		var found []string
		strategy := b.CSV.Spec.InstallStrategy.StrategySpec
		for _, permission := range slices.Concat(strategy.Permissions, strategy.ClusterPermissions) {
			for _, rule := range permission.Rules {
				if slices.Contains(rule.Resources, "operatorconditions") {
					found = append(found, permission.ServiceAccountName)
				}
			}
		}
		return found
	},
	"deployments have unique valid names": func(b registryV1) []string {
		var found []string
		seen := map[string]bool{}
		for _, d := range b.CSV.Spec.InstallStrategy.StrategySpec.DeploymentSpecs {
			if seen[d.Name] || len(validation.IsDNS1123Subdomain(d.Name)) > 0 {
				found = append(found, d.Name)
			}
			seen[d.Name] = true
		}
		if len(seen) == 0 {
			found = append(found, "no deployment")
		}
		return found
	},
	"owned definitions are there, once": ownedProblems,
	"kinds are supported": func(b registryV1) []string {
		var found []string
		for _, object := range b.Objects {
			if !slices.Contains(supported, object.GetKind()) {
				found = append(found, object.GetKind())
			}
		}
		return found
	},
	"objects have unique names": func(b registryV1) []string {
		var found []string
		seen := map[string]bool{}
		for _, object := range b.Objects {
			key := object.GroupVersionKind().GroupKind().String() + " " + object.GetNamespace() + "/" + object.GetName()
			if seen[key] || object.GetName() == "" {
				found = append(found, key)
			}
			seen[key] = true
		}
		return found
	},
	"no folders in manifests": func(b registryV1) []string { return b.folders },
	"a package name":          func(b registryV1) []string { return unless(b.Package != "", "none") },
	"less than 1 MiB": func(b registryV1) []string {
		return unless(b.bytes < 1<<20, fmt.Sprint(b.bytes, " bytes"))
	},
	"webhooks of our deployments": webhookProblems,
}

func unless(fine bool, problem string) []string {
	if fine {
		return nil
	}
	return []string{problem}
}

var supported = []string{
	"ClusterServiceVersion", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Service",
	"ServiceAccount", "Secret", "ConfigMap", "PrometheusRule", "ServiceMonitor", "PodMonitor", "PodDisruptionBudget", "PriorityClass",
	"VerticalPodAutoscaler", "NetworkPolicy", "ConsoleYAMLSample", "ConsoleQuickStart", "ConsoleCLIDownload", "ConsoleLink", "ConsolePlugin",
}

func ownedProblems(b registryV1) []string {
	var found []string
	defined := map[string]int{}
	for _, crd := range b.V1CRDs {
		defined[crd.Name]++
	}
	owned := map[string]int{}
	for _, description := range b.CSV.Spec.CustomResourceDefinitions.Owned {
		owned[description.Name]++
		if defined[description.Name] != 1 || owned[description.Name] != 1 {
			found = append(found, fmt.Sprintf("%s: %d definitions, owned %d times", description.Name, defined[description.Name], owned[description.Name]))
		}
	}
	for name := range defined {
		if owned[name] == 0 {
			found = append(found, name+" is not owned")
		}
	}
	return found
}

func webhookProblems(b registryV1) []string {
	var found []string
	deployments := map[string]bool{}
	for _, d := range b.CSV.Spec.InstallStrategy.StrategySpec.DeploymentSpecs {
		deployments[d.Name] = true
	}
	names := map[string]bool{}
	for _, webhook := range b.CSV.Spec.WebhookDefinitions {
		key := string(webhook.Type) + " " + webhook.GenerateName
		if names[key] || len(validation.IsDNS1123Subdomain(webhook.GenerateName)) > 0 {
			found = append(found, key+": name")
		}
		names[key] = true
		if !deployments[webhook.DeploymentName] {
			found = append(found, key+": no deployment "+webhook.DeploymentName)
		}
		for _, rule := range webhook.Rules {
			if slices.ContainsFunc(rule.APIGroups, forbiddenGroup) {
				found = append(found, key+": API groups "+strings.Join(rule.APIGroups, ", "))
			}
		}
		if webhook.Type == v1alpha1.ConversionWebhook {
			found = append(found, conversionProblems(b, webhook)...)
		}
	}
	return found
}

func forbiddenGroup(group string) bool {
	return slices.Contains([]string{"*", "olm.operatorframework.io", "admissionregistration.k8s.io"}, group)
}

func conversionProblems(b registryV1, webhook v1alpha1.WebhookDescription) []string {
	var found []string
	for _, mode := range b.CSV.Spec.InstallModes {
		if mode.Supported && mode.Type != v1alpha1.InstallModeTypeAllNamespaces {
			found = append(found, "conversion with install mode "+string(mode.Type))
		}
	}
	for _, crd := range webhook.ConversionCRDs {
		owned := func(d v1alpha1.CRDDescription) bool { return d.Name == crd }
		if !slices.ContainsFunc(b.CSV.Spec.CustomResourceDefinitions.Owned, owned) {
			found = append(found, "conversion of "+crd+", which is not owned")
		}
	}
	return found
}

func TestRulesOfOLMv1(t *testing.T) {
	for _, dir := range bundles(t) {
		bundle := readRegistryV1(t, dir)
		for name, rule := range rules {
			for _, problem := range rule(bundle) {
				t.Errorf("%s: %s: %s", dir, name, problem)
			}
		}
	}
}

// Each rule finds what is against it, and nothing else does.
func TestRulesOfOLMv1AreHeld(t *testing.T) {
	webhook := func(change func(*v1alpha1.WebhookDescription)) func(*registryV1) {
		return func(b *registryV1) {
			one := v1alpha1.WebhookDescription{
				GenerateName: "v.kubefledged.io", Type: v1alpha1.ValidatingAdmissionWebhook, DeploymentName: packageName,
				Rules: []admissionregistrationv1.RuleWithOperations{{Rule: admissionregistrationv1.Rule{APIGroups: []string{"kubefledged.io"}}}},
			}
			change(&one)
			b.CSV.Spec.WebhookDefinitions = []v1alpha1.WebhookDescription{one}
		}
	}
	for name, test := range map[string]struct {
		rule  string // empty: nothing is against a rule
		spoil func(*registryV1)
	}{
		"a webhook":           {"", webhook(func(*v1alpha1.WebhookDescription) {})},
		"one namespace only":  {"AllNamespaces is supported", func(b *registryV1) { b.CSV.Spec.InstallModes[3].Supported = false }},
		"a dependency":        {"nothing else is needed", func(b *registryV1) { b.properties = []string{"olm.package"} }},
		"a constraint":        {"nothing else is needed", func(b *registryV1) { b.properties = []string{"olm.constraint"} }},
		"a foreign kind":      {"nothing else is needed", requireKind},
		"an API service":      {"no API services", ownAPIService},
		"a condition":         {"no OperatorConditions", useConditions},
		"a deployment twice":  {"deployments have unique valid names", duplicateDeployment},
		"a bad name":          {"deployments have unique valid names", func(b *registryV1) { deployment(b).Name = "No_Name" }},
		"no definition":       {"owned definitions are there, once", func(b *registryV1) { b.V1CRDs = b.V1CRDs[1:] }},
		"a definition twice":  {"owned definitions are there, once", func(b *registryV1) { b.V1CRDs = append(b.V1CRDs, b.V1CRDs[0]) }},
		"a Deployment":        {"kinds are supported", addObject("Deployment", "other")},
		"a name twice":        {"objects have unique names", addObject("ConfigMap", "a", "a")},
		"a folder":            {"no folders in manifests", func(b *registryV1) { b.folders = []string{"crds"} }},
		"no package":          {"a package name", func(b *registryV1) { b.Package = "" }},
		"too large":           {"less than 1 MiB", func(b *registryV1) { b.bytes = 1 << 20 }},
		"nobody's webhook":    {"webhooks of our deployments", webhook(func(w *v1alpha1.WebhookDescription) { w.DeploymentName = "other" })},
		"a webhook's name":    {"webhooks of our deployments", webhook(func(w *v1alpha1.WebhookDescription) { w.GenerateName = "No_Name" })},
		"a webhook of all":    {"webhooks of our deployments", webhook(func(w *v1alpha1.WebhookDescription) { w.Rules[0].APIGroups = []string{"*"} })},
		"a webhook of OLM":    {"webhooks of our deployments", webhook(func(w *v1alpha1.WebhookDescription) { w.Rules[0].APIGroups[0] = "olm.operatorframework.io" })},
		"a foreign converter": {"webhooks of our deployments", webhook(convertForeign)},
	} {
		bundle := readRegistryV1(t, current)
		test.spoil(&bundle)
		for rule, check := range rules {
			if found := check(bundle); (len(found) > 0) != (rule == test.rule) {
				t.Errorf("%s: %s: %v", name, rule, found)
			}
		}
	}
}

func deployment(b *registryV1) *v1alpha1.StrategyDeploymentSpec {
	return &b.CSV.Spec.InstallStrategy.StrategySpec.DeploymentSpecs[0]
}

func duplicateDeployment(b *registryV1) {
	strategy := &b.CSV.Spec.InstallStrategy.StrategySpec
	strategy.DeploymentSpecs = append(strategy.DeploymentSpecs, strategy.DeploymentSpecs[0])
}

func requireKind(b *registryV1) {
	b.CSV.Spec.CustomResourceDefinitions.Required = []v1alpha1.CRDDescription{{Name: "certificates.cert-manager.io"}}
}

func ownAPIService(b *registryV1) {
	b.CSV.Spec.APIServiceDefinitions.Owned = []v1alpha1.APIServiceDescription{{Name: "v1"}}
}

func useConditions(b *registryV1) {
	permissions := b.CSV.Spec.InstallStrategy.StrategySpec.ClusterPermissions
	permissions[0].Rules = append(permissions[0].Rules, rbacv1.PolicyRule{Resources: []string{"operatorconditions"}})
}

func addObject(kind string, names ...string) func(*registryV1) {
	return func(b *registryV1) {
		for _, name := range names {
			object := &unstructured.Unstructured{}
			object.SetKind(kind)
			object.SetName(name)
			b.Objects = append(b.Objects, object)
		}
	}
}

func convertForeign(w *v1alpha1.WebhookDescription) {
	w.Type, w.ConversionCRDs = v1alpha1.ConversionWebhook, []string{"others.example.com"}
}

func definitions(b *manifests.Bundle) map[string]*apiextensionsv1.CustomResourceDefinition {
	all := map[string]*apiextensionsv1.CustomResourceDefinition{}
	for _, crd := range b.V1CRDs {
		all[crd.Name] = crd
	}
	return all
}

// An upgrade of the operator may not make stored objects invalid.
func TestDefinitionsMayBeUpgraded(t *testing.T) {
	all := versions(t)
	for i := 1; i < len(all); i++ {
		before := definitions(load(t, filepath.Join(submission, all[i-1])))
		after := definitions(load(t, filepath.Join(submission, all[i])))
		for name, old := range before {
			if after[name] == nil {
				t.Errorf("%s: %s is gone", all[i], name)
				continue
			}
			for _, problem := range unsafe(t, old, after[name]) {
				t.Errorf("%s: %s: %s", all[i], name, problem)
			}
		}
	}
}

func TestUnsafeUpgradesAreFound(t *testing.T) {
	type definition = apiextensionsv1.CustomResourceDefinition
	spec := func(crd *definition) *apiextensionsv1.JSONSchemaProps {
		schema := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
		return &schema
	}
	inSpec := func(change func(*apiextensionsv1.JSONSchemaProps)) func(*definition) {
		return func(crd *definition) {
			schema := spec(crd)
			change(schema)
			crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"] = *schema
		}
	}
	field := func(name string, change func(*apiextensionsv1.JSONSchemaProps)) func(*definition) {
		return inSpec(func(s *apiextensionsv1.JSONSchemaProps) {
			property := s.Properties[name]
			change(&property)
			s.Properties[name] = property
		})
	}
	for name, change := range map[string]func(*definition){
		"scope":                  func(crd *definition) { crd.Spec.Scope = apiextensionsv1.ClusterScoped },
		"stored version removed": func(crd *definition) { crd.Spec.Versions[0].Name = "v1" },
		"field removed":          inSpec(func(s *apiextensionsv1.JSONSchemaProps) { delete(s.Properties, "suspend") }),
		"field required":         inSpec(func(s *apiextensionsv1.JSONSchemaProps) { s.Required = append(s.Required, "suspend") }),
		"type":                   field("suspend", func(s *apiextensionsv1.JSONSchemaProps) { s.Type = "string" }),
		"default":                field("deletionPolicy", func(s *apiextensionsv1.JSONSchemaProps) { s.Default = &apiextensionsv1.JSON{Raw: []byte(`"Purge"`)} }),
		"word removed":           field("deletionPolicy", func(s *apiextensionsv1.JSONSchemaProps) { s.Enum = s.Enum[:1] }),
		"fewer items":            field("cacheSpec", func(s *apiextensionsv1.JSONSchemaProps) { s.MaxItems = ptr.To[int64](8) }),
		"least number of items":  field("cacheSpec", func(s *apiextensionsv1.JSONSchemaProps) { s.MinItems = ptr.To[int64](1) }),
	} {
		bundle := load(t, current)
		old := definitions(bundle)["imagecaches.kubefledged.io"]
		if problems := unsafe(t, old, old.DeepCopy()); len(problems) > 0 {
			t.Fatalf("without a change: %v", problems)
		}
		changed := old.DeepCopy()
		change(changed)
		if len(unsafe(t, old, changed)) == 0 {
			t.Errorf("%s: nothing was found", name)
		}
	}
}
