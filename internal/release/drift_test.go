package release

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func object(t *testing.T, text string) *Object {
	t.Helper()
	objects, err := Parse("apiVersion: v1\nkind: Thing\nmetadata: {name: thing}\n" + text)
	if err != nil || len(objects) != 1 {
		t.Fatalf("%d objects: %v", len(objects), err)
	}
	return objects[0]
}

func TestDifferences(t *testing.T) {
	for name, test := range map[string]struct {
		want, live string
		found      []string
	}{
		"the same":                   {`spec: {a: 1, b: [x]}`, `spec: {a: 1, b: [x]}`, nil},
		"a default":                  {`spec: {a: 1}`, `spec: {a: 1, policy: Default}`, nil},
		"status":                     {`status: {a: 1}`, `status: {a: 2}`, nil},
		"edited":                     {`spec: {a: 1}`, `spec: {a: 2}`, []string{"spec.a"}},
		"deleted field":              {`spec: {a: 1}`, `spec: {}`, []string{"spec.a"}},
		"what the server drops":      {`spec: {a: "", b: false, c: 0, d: [], e: {}, f: null, g: {h: ""}}`, ``, nil},
		"quantity":                   {`spec: {resources: {limits: {cpu: 0.5, memory: 1024Mi}}}`, `spec: {resources: {limits: {cpu: 500m, memory: 1Gi}}}`, nil},
		"other quantity":             {`spec: {resources: {limits: {cpu: 0.5}}}`, `spec: {resources: {limits: {cpu: 600m}}}`, []string{"spec.resources.limits.cpu"}},
		"no quantity":                {`spec: {args: ["1024Mi"]}`, `spec: {args: ["1Gi"]}`, []string{"spec.args[0]"}},
		"more arguments":             {`spec: {args: [a]}`, `spec: {args: [a, b]}`, []string{"spec.args"}},
		"more rules":                 {`rules: [{verbs: [get]}]`, `rules: [{verbs: [get]}, {verbs: [list]}]`, []string{"rules"}},
		"more containers":            {`spec: {containers: [{name: a, image: x}]}`, `spec: {containers: [{name: side}, {name: a, image: x}]}`, nil},
		"another image":              {`spec: {containers: [{name: a, image: x}]}`, `spec: {containers: [{name: side}, {name: a, image: y}]}`, []string{"spec.containers[0].image"}},
		"container gone":             {`spec: {containers: [{name: a, image: x}]}`, `spec: {containers: [{name: b}]}`, []string{"spec.containers[0]"}},
		"ports with a default":       {`spec: {ports: [{containerPort: 1}]}`, `spec: {ports: [{containerPort: 2, protocol: TCP}, {containerPort: 1, protocol: TCP}]}`, nil},
		"ports of a NetworkPolicy":   {`ingress: [{ports: [{port: 1}]}]`, `ingress: [{ports: [{port: 1}, {port: 2}]}]`, []string{"ingress[0].ports"}},
		"port of a Service":          {`spec: {ports: [{port: 1, targetPort: a}]}`, `spec: {ports: [{port: 1, targetPort: b}]}`, []string{"spec.ports[0].targetPort"}},
		"ca bundle":                  {`webhooks: [{name: a, clientConfig: {service: {name: s}}}]`, `webhooks: [{name: a, clientConfig: {caBundle: x, service: {name: s}}}]`, nil},
		"spread":                     {`spec: {topologySpreadConstraints: [{topologyKey: a, whenUnsatisfiable: X, maxSkew: 1}]}`, `spec: {topologySpreadConstraints: [{topologyKey: a, whenUnsatisfiable: Y, maxSkew: 2}, {topologyKey: a, whenUnsatisfiable: X, maxSkew: 1}]}`, nil},
		"a list that became a value": {`spec: {a: [b]}`, `spec: {a: b}`, []string{"spec.a"}},
		"a map that became a value":  {`spec: {a: {b: 1}}`, `spec: {a: b}`, []string{"spec.a"}},
		"number and word":            {`spec: {a: 3443}`, `spec: {a: "3443"}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.found, Differences(object(t, test.want), object(t, test.live))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
