package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

const before = `
schema: olm.template.basic
entries:
- {schema: olm.package, name: p, defaultChannel: stable}
- {schema: olm.channel, package: p, name: stable, entries: [{name: p.v1}, {name: p.v2, replaces: p.v1}]}
- {schema: olm.bundle, name: p.v1, image: ""}
- {schema: olm.bundle, name: p.v2, image: ""}
`

// A catalog of one bundle knows nothing of the other: tests publish an upgrade by
// adding it.
func TestFill(t *testing.T) {
	for name, test := range map[string]struct {
		images map[string]bundleImage
		want   string
	}{
		"both": {map[string]bundleImage{"p.v1": {image: "a"}, "p.v2": {image: "b"}}, `
schema: olm.template.basic
entries:
- {schema: olm.package, name: p, defaultChannel: stable}
- {schema: olm.channel, package: p, name: stable, entries: [{name: p.v1}, {name: p.v2, replaces: p.v1}]}
- {schema: olm.bundle, name: p.v1, image: a}
- {schema: olm.bundle, name: p.v2, image: b}
`},
		"the first": {map[string]bundleImage{"p.v1": {image: "a"}}, `
schema: olm.template.basic
entries:
- {schema: olm.package, name: p, defaultChannel: stable}
- {schema: olm.channel, package: p, name: stable, entries: [{name: p.v1}]}
- {schema: olm.bundle, name: p.v1, image: a}
`},
	} {
		var from, want template
		for text, into := range map[string]*template{before: &from, test.want: &want} {
			if err := yaml.UnmarshalStrict([]byte(text), into); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, fill(from, test.images)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}
