package release

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Object is one object of a manifest.
type Object = unstructured.Unstructured

// Key identifies an object in a cluster. The version is not part of it.
type Key struct {
	schema.GroupKind
	Namespace, Name string
}

// KeyOf returns the key of an object.
func KeyOf(o *Object) Key {
	return Key{GroupKind: o.GroupVersionKind().GroupKind(), Namespace: o.GetNamespace(), Name: o.GetName()}
}

// String returns the key as messages name an object.
func (k Key) String() string {
	if k.Namespace == "" {
		return k.Kind + " " + k.Name
	}
	return k.Kind + " " + k.Namespace + "/" + k.Name
}

// Parse returns the objects of a manifest in their order. Numbers are those that
// the API machinery decodes.
func Parse(manifest string) ([]*Object, error) {
	var objects []*Object
	decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(manifest), 4096)
	for {
		object := &Object{}
		err := decoder.Decode(&object.Object)
		switch {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, fmt.Errorf("read the manifest: %w", err)
		case len(object.Object) == 0:
			continue // only comments
		case object.GetKind() == "" || object.GetAPIVersion() == "" || object.GetName() == "":
			return nil, fmt.Errorf("an object without kind, apiVersion or name: %.200v", object.Object)
		}
		objects = append(objects, object)
	}
}

// Print returns the manifest of objects. The same objects give the same text.
func Print(objects []*Object) (string, error) {
	var b strings.Builder
	for _, object := range objects {
		content, err := yaml.Marshal(object.Object)
		if err != nil {
			return "", fmt.Errorf("%s: %w", KeyOf(object), err)
		}
		b.WriteString("---\n")
		b.Write(content)
	}
	return b.String(), nil
}

// Leftovers returns the objects that older revisions had and the current one
// does not have: each once, as the newest of them had it.
func Leftovers(history *History, current []*Object) []*Object {
	seen := map[Key]bool{}
	for _, object := range current {
		seen[KeyOf(object)] = true
	}
	var left []*Object
	for i := len(history.Records) - 1; i >= 0; i-- {
		objects, err := Parse(history.Records[i].Manifest)
		if err != nil {
			continue // not one of ours; those are printed by Print
		}
		for _, object := range objects {
			if key := KeyOf(object); !seen[key] {
				seen[key] = true
				left = append(left, object)
			}
		}
	}
	return left
}
