package bundle

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/operator-framework/api/pkg/manifests"
	"github.com/operator-framework/api/pkg/operators/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

func examples(t *testing.T, csv *v1alpha1.ClusterServiceVersion) []unstructured.Unstructured {
	t.Helper()
	var all []unstructured.Unstructured
	if err := json.Unmarshal([]byte(csv.Annotations["alm-examples"]), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func definition(t *testing.T, bundle *manifests.Bundle, kind string) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	for _, crd := range bundle.V1CRDs {
		if crd.Spec.Names.Kind == kind {
			return crd
		}
	}
	t.Fatalf("no definition of %s", kind)
	return nil
}

// Each kind has an example that the API server takes as it is.
func TestExamples(t *testing.T) {
	bundle := load(t, current)
	var kinds []string
	for _, example := range examples(t, bundle.CSV) {
		kinds = append(kinds, example.GetKind())
		for _, problem := range refused(t, definition(t, bundle, example.GetKind()), example.Object) {
			t.Errorf("%s: %s", example.GetKind(), problem)
		}
	}
	slices.Sort(kinds)
	if diff := cmp.Diff([]string{"ImageCache", "KubeFledged", "NodeCache"}, kinds); diff != "" {
		t.Errorf("examples of (-want +got)\n%s", diff)
	}
	spoiled := map[string]any{"apiVersion": "kubefledged.io/v1alpha2", "kind": "ImageCache", "spec": map[string]any{"cacheSpeck": []any{}}}
	if len(refused(t, definition(t, bundle, "ImageCache"), spoiled)) < 2 {
		t.Error("a misspelled field and a missing one were not found")
	}
}

// refused returns what the API server would say of the object: by its schema, and
// of fields that it does not know.
func refused(t *testing.T, crd *apiextensionsv1.CustomResourceDefinition, object map[string]any) []string {
	t.Helper()
	var internal apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(crd.Spec.Versions[0].Schema.OpenAPIV3Schema, &internal, nil); err != nil {
		t.Fatal(err)
	}
	validator, _, err := validation.NewSchemaValidator(&internal)
	if err != nil {
		t.Fatal(err)
	}
	var problems []string
	for _, problem := range validator.Validate(object).Errors {
		problems = append(problems, problem.Error())
	}
	structural, err := schema.NewStructural(&internal)
	if err != nil {
		t.Fatal(err)
	}
	options := schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	unknown := pruning.PruneWithOptions(unstructuredCopy(object), structural, true, options)
	for _, path := range unknown {
		problems = append(problems, path+": unknown field")
	}
	return problems
}

func unstructuredCopy(object map[string]any) map[string]any {
	return (&unstructured.Unstructured{Object: object}).DeepCopy().Object
}

// Every field that an example uses is described, and what is described exists.
func TestDescriptors(t *testing.T) {
	bundle := load(t, current)
	for _, example := range examples(t, bundle.CSV) {
		owned := ownedOf(t, bundle.CSV, example.GetKind())
		spec, status := specPaths(owned), statusPaths(owned)
		for _, path := range leaves(example.Object["spec"], "") {
			if !slices.Contains(spec, path) {
				t.Errorf("%s: no description of spec.%s", owned.Kind, path)
			}
		}
		if block, ok := example.Object["status"].(map[string]any); ok {
			for field := range block {
				if !slices.Contains(status, field) {
					t.Errorf("%s: no description of status.%s", owned.Kind, field)
				}
			}
		}
		properties := definition(t, bundle, owned.Kind).Spec.Versions[0].Schema.OpenAPIV3Schema.Properties
		for _, path := range spec {
			if !exists(properties["spec"], path) {
				t.Errorf("%s: there is no spec.%s", owned.Kind, path)
			}
		}
		for _, path := range status {
			if !exists(properties["status"], path) {
				t.Errorf("%s: there is no status.%s", owned.Kind, path)
			}
		}
		if len(status) == 0 {
			t.Errorf("%s: no description of the status", owned.Kind)
		}
	}
}

func ownedOf(t *testing.T, csv *v1alpha1.ClusterServiceVersion, kind string) v1alpha1.CRDDescription {
	t.Helper()
	for _, owned := range csv.Spec.CustomResourceDefinitions.Owned {
		if owned.Kind == kind {
			return owned
		}
	}
	t.Fatalf("%s is not owned", kind)
	return v1alpha1.CRDDescription{}
}

func specPaths(owned v1alpha1.CRDDescription) []string {
	var paths []string
	for _, d := range owned.SpecDescriptors {
		paths = append(paths, d.Path)
	}
	return paths
}

func statusPaths(owned v1alpha1.CRDDescription) []string {
	var paths []string
	for _, d := range owned.StatusDescriptors {
		paths = append(paths, d.Path)
	}
	return paths
}

// leaves returns the paths as descriptors have them, with those above: of a list
// the first item stands for all, and the keys of labels are no fields.
func leaves(value any, path string) []string {
	var all []string
	switch v := value.(type) {
	case map[string]any:
		if strings.HasSuffix(path, "nodeSelector") {
			return []string{path}
		}
		for key, below := range v {
			all = append(all, leaves(below, strings.TrimPrefix(path+"."+key, "."))...)
		}
	case []any:
		for _, item := range v {
			if _, ok := item.(map[string]any); ok {
				all = append(all, leaves(item, path+"[0]")...)
			}
		}
	}
	if path != "" && !strings.HasSuffix(path, "]") {
		all = append(all, path)
	}
	return all
}

func exists(s apiextensionsv1.JSONSchemaProps, path string) bool {
	for _, word := range strings.Split(path, ".") {
		name, item, _ := strings.Cut(word, "[")
		below, ok := s.Properties[name]
		if !ok {
			return false
		}
		if s = below; item != "" {
			s = *s.Items.Schema
		}
	}
	return true
}

// wantedDeployment returns that of config/manager with the images of the bundle and the
// namespaces of the OperatorGroup, which is all that may differ.
func wantedDeployment(t *testing.T, csv *v1alpha1.ClusterServiceVersion) appsv1.Deployment {
	t.Helper()
	var want appsv1.Deployment
	decode(t, root+"/config/manager/deployment.yaml", &want)
	images := map[string]string{}
	for _, related := range csv.Spec.RelatedImages {
		images[related.Name+":dev"] = related.Image
	}
	container := &want.Spec.Template.Spec.Containers[0]
	container.Image = images[container.Image]
	for i, env := range container.Env {
		if env.Name == "WATCH_NAMESPACE" {
			ref := &corev1.ObjectFieldSelector{FieldPath: "metadata.annotations['olm.targetNamespaces']"}
			container.Env[i] = corev1.EnvVar{Name: env.Name, ValueFrom: &corev1.EnvVarSource{FieldRef: ref}}
		}
		if image, ok := images[env.Value]; ok {
			container.Env[i].Value = image
		}
	}
	return want
}

func TestDeployment(t *testing.T) {
	csv := load(t, current).CSV
	want := wantedDeployment(t, csv)
	deployments := csv.Spec.InstallStrategy.StrategySpec.DeploymentSpecs
	if len(deployments) != 1 || deployments[0].Name != want.Name {
		t.Fatalf("%v", deployments)
	}
	if diff := cmp.Diff(want.Spec, deployments[0].Spec); diff != "" {
		t.Errorf("not that of config/manager (-want +got)\n%s", diff)
	}
	if *deployments[0].Spec.Replicas < 2 {
		t.Errorf("%d replicas", *deployments[0].Spec.Replicas)
	}
}

// The rights are those of config/operator-rbac, whose own tests say why each is
// there, and nothing else.
func TestRights(t *testing.T) {
	strategy := load(t, current).CSV.Spec.InstallStrategy.StrategySpec
	var clusterRole rbacv1.ClusterRole
	var role rbacv1.Role
	decode(t, root+"/config/operator-rbac/cluster_role.yaml", &clusterRole)
	decode(t, root+"/config/operator-rbac/role.yaml", &role)
	election, _, _ := strings.Cut(read(t, root+"/config/operator-rbac/leader_election.yaml"), "\n---\n")
	var electionRole rbacv1.Role
	if err := utilyaml.Unmarshal([]byte(election), &electionRole); err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string]struct {
		got  []v1alpha1.StrategyDeploymentPermissions
		want []rbacv1.PolicyRule
	}{
		"clusterPermissions": {strategy.ClusterPermissions, clusterRole.Rules},
		"permissions":        {strategy.Permissions, append(role.Rules, electionRole.Rules...)},
	} {
		if len(test.got) != 1 || test.got[0].ServiceAccountName != packageName {
			t.Fatalf("%s: %v", what, test.got)
		}
		byText := cmpopts.SortSlices(func(a, b rbacv1.PolicyRule) bool { return fmt.Sprint(a) < fmt.Sprint(b) })
		if diff := cmp.Diff(test.want, test.got[0].Rules, byText); diff != "" {
			t.Errorf("%s are not those of config/operator-rbac (-want +got)\n%s", what, diff)
		}
		for _, rule := range test.got[0].Rules {
			if tooMuch(rule) {
				t.Errorf("%s: %v", what, rule)
			}
		}
	}
	if !tooMuch(rbacv1.PolicyRule{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"*"}}) {
		t.Error("a wildcard was not found")
	}
}

func tooMuch(rule rbacv1.PolicyRule) bool {
	words := slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs, rule.NonResourceURLs)
	return slices.ContainsFunc(words, func(word string) bool {
		return strings.Contains(word, "*") || slices.Contains([]string{"escalate", "bind", "impersonate"}, word)
	})
}

// Every image is by digest, and all that anything will run is a related image:
// what mirrors of disconnected clusters copy.
func TestImages(t *testing.T) {
	for _, dir := range bundles(t) {
		csv := load(t, dir).CSV
		related := map[string]string{}
		for _, image := range csv.Spec.RelatedImages {
			related[image.Name] = image.Image
			if !byDigest.MatchString(image.Image) {
				t.Errorf("%s: %s is no digest", dir, image.Image)
			}
		}
		for _, name := range []string{"kubefledged-operator", "kubefledged-controller", "kubefledged-cri-client"} {
			if !strings.HasPrefix(related[name], "ghcr.io/kubefledged/"+name+"@") {
				t.Errorf("%s: image of %s: %q", dir, name, related[name])
			}
		}
		container := csv.Spec.InstallStrategy.StrategySpec.DeploymentSpecs[0].Spec.Template.Spec.Containers[0]
		if operator := related["kubefledged-operator"]; container.Image != operator || csv.Annotations["containerImage"] != operator {
			t.Errorf("%s: the operator is %s and %s", dir, container.Image, csv.Annotations["containerImage"])
		}
		for _, env := range container.Env {
			if strings.HasPrefix(env.Name, "RELATED_IMAGE_") && !slices.Contains([]string{related["kubefledged-controller"], related["kubefledged-cri-client"]}, env.Value) {
				t.Errorf("%s: %s is no related image: %s", dir, env.Name, env.Value)
			}
		}
	}
}

// What people see in catalogs, and consoles read.
func TestPresentation(t *testing.T) {
	csv := load(t, current).CSV
	if description := csv.Annotations["description"]; description == "" || len(description) > 135 {
		t.Errorf("%d characters: %s", len(description), description)
	}
	for _, part := range []string{"## About the managed application", "## About this operator", "## Before and after the installation"} {
		if !strings.Contains(csv.Spec.Description, part+"\n") {
			t.Errorf("the description has no part %q", part)
		}
	}
	icon, err := base64.StdEncoding.DecodeString(csv.Spec.Icon[0].Data)
	if err != nil || string(icon) != read(t, root+"/config/manifests/icon.svg") {
		t.Errorf("the icon is not icon.svg, %v", err)
	}
	for name, value := range csv.Annotations {
		if strings.HasPrefix(name, "features.operators.openshift.io/") && value != "true" && value != "false" {
			t.Errorf("%s: %q", name, value)
		}
	}
	for _, label := range []string{"arch.amd64", "arch.arm64", "os.linux"} {
		if csv.Labels["operatorframework.io/"+label] != "supported" {
			t.Errorf("label %s: %v", label, csv.Labels)
		}
	}
	var namespace corev1.Namespace
	if err := json.Unmarshal([]byte(csv.Annotations["operatorframework.io/suggested-namespace-template"]), &namespace); err != nil {
		t.Fatal(err)
	}
	if suggested := csv.Annotations["operatorframework.io/suggested-namespace"]; suggested != namespace.Name || suggested != packageName {
		t.Errorf("namespaces %q and %q", suggested, namespace.Name)
	}
}
