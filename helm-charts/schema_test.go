package charts_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
)

// What is wrong is refused before anything is installed, and the message says
// where and what.
func TestSchemaRefuses(t *testing.T) {
	for values, want := range map[string]string{
		`replicaCount: 2`:                                             "additional properties 'replicaCount' not allowed",
		`args: {controllerVerifyIntervall: 1h}`:                       "at '/args': additional properties 'controllerVerifyIntervall' not allowed",
		`args: {controllerVerifyInterval: 5 min}`:                     "at '/args/controllerVerifyInterval': '5 min' does not match pattern",
		`args: {controllerImagePullDeadlineDuration: 300}`:            "at '/args/controllerImagePullDeadlineDuration': got number, want string",
		`args: {controllerImagePullPolicy: Never}`:                    "at '/args/controllerImagePullPolicy': value must be one of 'IfNotPresent', 'Always'",
		`args: {controllerJobRetentionPolicy: keep}`:                  "at '/args/controllerJobRetentionPolicy': value must be one of 'delete', 'retain'",
		`args: {controllerImagesPerJob: 51}`:                          "at '/args/controllerImagesPerJob'",
		`args: {controllerImagesPerJob: many}`:                        "at '/args/controllerImagesPerJob'",
		`args: {controllerJobsMaxSurge: -1}`:                          "at '/args/controllerJobsMaxSurge': minimum: got -1, want 0",
		`args: {controllerPullsPerNode: 11}`:                          "at '/args/controllerPullsPerNode': maximum: got 11, want 10",
		`args: {controllerCRISocketPath: run/containerd.sock}`:        "at '/args/controllerCRISocketPath'",
		`args: {controllerPodLabels: {imagecache: x}}`:                "at '/args/controllerPodLabels/imagecache': false schema",
		`args: {controllerPodLabels: {a: "no spaces"}}`:               "at '/args/controllerPodLabels/a'",
		`args: {controllerPodAnnotations: {kubefledged.io/x: "1"}}`:   "false schema",
		`args: {controllerExtraArgs: [v=4]}`:                          "at '/args/controllerExtraArgs/0'",
		`args: {controllerLogLevel: DEBUG}`:                           "at '/args/controllerLogLevel': value must be one of",
		`args: {webhookServerPort: 70000}`:                            "at '/args/webhookServerPort': maximum: got 70,000, want 65,535",
		`image: {tag: a/b}`:                                           "at '/image/tag'",
		`image: {tag: 1.10}`:                                          "at '/image/tag': got number, want string",
		`image: {kubefledgedControllerDigest: "sha256:12"}`:           "at '/image/kubefledgedControllerDigest'",
		`image: {kubefledgedControllerRepository: "a@sha256:1"}`:      "at '/image/kubefledgedControllerRepository'",
		`image: {pullPolicy: Sometimes}`:                              "at '/image/pullPolicy': value must be one of 'Always', 'IfNotPresent', 'Never'",
		`controller: {replicas: 2}`:                                   "at '/controller': additional properties 'replicas' not allowed",
		`controllerReplicaCount: two`:                                 "at '/controllerReplicaCount': got string, want integer",
		`webhook: {enabled: "yes"}`:                                   "at '/webhook/enabled': got string, want boolean",
		`webhook: {certManager: {issuer: x}}`:                         "additional properties 'issuer' not allowed",
		`resources: {limits: {memory: lots}}`:                         "at '/resources/limits/memory'",
		`resources: {limit: {memory: 1Gi}}`:                           "at '/resources': additional properties 'limit' not allowed",
		`commonLabels: {app: mine}`:                                   "at '/commonLabels/app': false schema",
		`podLabels: {app.kubernetes.io/name: mine}`:                   "false schema",
		`nodeSelector: {a: true}`:                                     "at '/nodeSelector/a': got boolean, want string",
		`imagePullSecrets: [registry]`:                                "at '/imagePullSecrets/0': got string, want object",
		`fullnameOverride: Upper`:                                     "at '/fullnameOverride'",
		`removal: {namespace: a.b}`:                                   "at '/removal/namespace'",
		`validatingWebhook: {failurePolicy: Warn}`:                    "at '/validatingWebhook/failurePolicy': value must be one of 'Fail', 'Ignore'",
		`validatingWebhook: {timeoutSeconds: 31}`:                     "at '/validatingWebhook/timeoutSeconds': maximum: got 31, want 30",
		`webhookService: {targetPort: Https}`:                         "at '/webhookService/targetPort'",
		`networkPolicy: {apiServerCIDRs: [10.0.0.1]}`:                 "at '/networkPolicy/apiServerCIDRs/0'",
		`metrics: {prometheusRule: {runbookURL: "ftp://x"}}`:          "at '/metrics/prometheusRule/runbookURL'",
		`priorityClass: {value: 2000000000}`:                          "at '/priorityClass/value'",
		`{service: {type: Other}, image: {busyboxImageVersion: 1.0}}`: "at '/service/type'",
	} {
		_, err := tryRender(t, "kubefledged", theRelease(parse(t, values)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v\nwant %s", values, err, want)
		}
	}
}

// What only the templates can see, they say in the same way.
func TestTemplatesRefuse(t *testing.T) {
	const values = `{webhook: {selfSigned: false}, args: {webhookServerCertFile: /a/b/tls.crt, webhookServerKeyFile: /a/c/tls.key}}`
	_, err := tryRender(t, "kubefledged", theRelease(parse(t, values)))
	if err == nil || !strings.Contains(err.Error(), "args.webhookServerKeyFile: must be in the directory of args.webhookServerCertFile") {
		t.Error(err)
	}
}

// What the schema has to take: values of an umbrella chart, numbers and words.
func TestSchemaAccepts(t *testing.T) {
	for _, values := range []string{
		`global: {anything: 1}`,
		`image: {busyboxImageVersion: 1.35, busyboxImageRepository: null}`,
		`ingress: {annotations: {hash: 1}}`,
		`args: {controllerImagesPerJob: "12"}`,
		`args: {controllerVerifyInterval: "0"}`,
		`resources: {limits: {cpu: 1, memory: 1.5Gi}, requests: {memory: 1e9}}`,
		`webhookService: {targetPort: 8443}`,
		`validatingWebhook: {namespaceSelector: {matchExpressions: [{key: a, operator: Exists}]}}`,
	} {
		if _, err := tryRender(t, "kubefledged", theRelease(parse(t, values))); err != nil {
			t.Errorf("%s: %v", values, err)
		}
	}
}

// node is as much of a JSON schema as matters here.
type node struct {
	Ref                  string           `json:"$ref"`
	Properties           map[string]*node `json:"properties"`
	AdditionalProperties any              `json:"additionalProperties"`
	Definitions          map[string]*node `json:"definitions"`
	Items                *node            `json:"items"`
	bounds
}

// bounds are what a value may be at the most and at the least.
type bounds struct {
	Minimum       *float64 `json:"minimum,omitempty"`
	Maximum       *float64 `json:"maximum,omitempty"`
	MinLength     *int64   `json:"minLength,omitempty"`
	MaxLength     *int64   `json:"maxLength,omitempty"`
	MinItems      *int64   `json:"minItems,omitempty"`
	MaxItems      *int64   `json:"maxItems,omitempty"`
	MaxProperties *int64   `json:"maxProperties,omitempty"`
	Enum          []string `json:"enum,omitempty"`
}

// schemaPaths returns the paths of all values that the schema names.
func schemaPaths(t *testing.T) map[string]*node {
	t.Helper()
	var root node
	if err := json.Unmarshal([]byte(read(t, "kubefledged/values.schema.json")), &root); err != nil {
		t.Fatal(err)
	}
	paths := map[string]*node{}
	var walk func(n *node, path string)
	walk = func(n *node, path string) {
		if name, isRef := strings.CutPrefix(n.Ref, "#/definitions/"); isRef {
			n = root.Definitions[name]
		}
		paths[path] = n
		for key, below := range n.Properties {
			walk(below, strings.TrimPrefix(path+"."+key, "."))
		}
	}
	walk(&root, "")
	delete(paths, "")
	return paths
}

// typedByKubernetes are values that the schema knows in part and the KubeFledged
// as a type of Kubernetes'.
var typedByKubernetes = []string{"resources", "controller.resources", "webhookServer.resources"}

func below(path string, tops []string) bool {
	return slices.ContainsFunc(tops, func(top string) bool { return strings.HasPrefix(path, top+".") })
}

// values.yaml and the schema name the same values.
func TestSchemaAndValuesAgree(t *testing.T) {
	var got, want []string
	for path, n := range schemaPaths(t) {
		if path == "global" || below(path, append([]string{"webhook.certManager.issuerRef"}, typedByKubernetes...)) {
			continue
		}
		got = append(got, path)
		if len(n.Properties) > 0 && n.AdditionalProperties != false {
			t.Errorf("%s takes values that it does not know", path)
		}
	}
	for _, e := range entries(t) {
		want = append(want, e.path)
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-values +schema)\n%s", diff)
	}
}

// The spec of a KubeFledged and the schema name the same values.
func TestSchemaAndKubeFledgedAgree(t *testing.T) {
	var got, want []string
	for path := range schemaPaths(t) {
		if path != "global" && !below(path, typedByKubernetes) {
			want = append(want, path)
		}
	}
	var walk func(typ reflect.Type, path string)
	walk = func(typ reflect.Type, path string) {
		for typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || !strings.HasSuffix(typ.PkgPath(), "api/charts/v1alpha2") {
			return
		}
		for i := range typ.NumField() {
			field := typ.Field(i)
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "" {
				walk(field.Type, path)
				continue
			}
			below := strings.TrimPrefix(path+"."+name, ".")
			got = append(got, below)
			walk(field.Type, below)
		}
	}
	walk(reflect.TypeFor[v1alpha2.KubeFledgedSpec](), "")
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-schema +KubeFledged)\n%s", diff)
	}
}

// only are bounds that one of the two cannot have.
var only = map[string]string{
	"imagePullSecrets[]":           "a type of Kubernetes' in the KubeFledged",
	"networkPolicy.apiServerPorts": "an empty list is left out of a KubeFledged",
	"priorityClass.value":          "a KubeFledged's is an int32",
	"priorityClass.jobsValue":      "a KubeFledged's is an int32",
}

// What one takes, the other takes: a KubeFledged that the API server has accepted
// is not refused by the chart, and values that Helm takes can become a KubeFledged.
func TestSchemaAndKubeFledgedHaveTheSameBounds(t *testing.T) {
	var root node
	if err := json.Unmarshal([]byte(read(t, "kubefledged/values.schema.json")), &root); err != nil {
		t.Fatal(err)
	}
	var definition struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema node `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "../config/crd/bases/charts.helm.kubefledged.io_kubefledgeds.yaml")), &definition); err != nil {
		t.Fatal(err)
	}
	compared := 0
	var walk func(values, spec *node, path string)
	walk = func(values, spec *node, path string) {
		if name, isRef := strings.CutPrefix(values.Ref, "#/definitions/"); isRef {
			values = root.Definitions[name]
		}
		slices.Sort(values.Enum)
		slices.Sort(spec.Enum)
		compared++
		if diff := cmp.Diff(spec.bounds, values.bounds, cmp.AllowUnexported(bounds{})); diff != "" && only[path] == "" {
			t.Errorf("%s (-KubeFledged +schema)\n%s", path, diff)
		}
		for key, below := range spec.Properties {
			if there := values.Properties[key]; there != nil && !slices.Contains(typedByKubernetes, path) {
				walk(there, below, strings.TrimPrefix(path+"."+key, "."))
			}
		}
		if spec.Items != nil && values.Items != nil && only[path+"[]"] == "" {
			walk(values.Items, spec.Items, path+"[]")
		}
	}
	walk(&root, definition.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"], "")
	if compared < 100 {
		t.Errorf("compared %d values only", compared)
	}
}
