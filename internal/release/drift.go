package release

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
)

// quantities are the fields whose values the API server writes its own way:
// 0.5 as 500m.
var quantities = map[string]bool{"limits": true, "requests": true, "sizeLimit": true}

// keys are the fields that identify the items of a list that has several
// owners; the API server merges such lists by them (x-kubernetes-list-map-keys).
// Lists without one are as the chart has them, or they were edited.
var keys = map[string][]string{
	"containers": {"name"}, "initContainers": {"name"}, "env": {"name"}, "volumes": {"name"},
	"webhooks": {"name"}, "matchConditions": {"name"}, "imagePullSecrets": {"name"}, "secrets": {"name"},
	"volumeMounts": {"mountPath"}, "ownerReferences": {"uid"},
	"topologySpreadConstraints": {"topologyKey", "whenUnsatisfiable"},
}

// keysOf returns the keys of a list. Ports are merged in pods and Services, and
// in NetworkPolicies they are not.
func keysOf(name string, list []any) []string {
	if name != "ports" || len(list) == 0 {
		return keys[name]
	}
	item, _ := list[0].(map[string]any)
	switch {
	case item["containerPort"] != nil:
		return []string{"containerPort", "protocol"}
	case item["targetPort"] != nil:
		return []string{"port", "protocol"}
	}
	return nil
}

// Differences returns the fields in which an object in the cluster is not what
// the manifest says, as paths. A field that the manifest does not have is
// somebody else's: a default, the caBundle, the annotation of a
// `kubectl rollout restart`. That is also how a server-side apply sees it,
// which is what restores the others.
func Differences(want, live *Object) []string {
	var found []string
	for _, field := range slices.Sorted(maps.Keys(want.Object)) {
		if field != "apiVersion" && field != "status" {
			found = append(found, differ(field, field, want.Object[field], live.Object[field])...)
		}
	}
	return found
}

// differ compares one field; name is the last field's name on the path.
func differ(path, name string, want, live any) []string {
	switch wanted := want.(type) {
	case map[string]any:
		there, isMap := live.(map[string]any)
		if !isMap && (live != nil || !empty(want)) {
			return []string{path}
		}
		return differMaps(path, name, wanted, there)
	case []any:
		there, isList := live.([]any)
		if !isList && (live != nil || len(wanted) > 0) {
			return []string{path}
		}
		return differLists(path, name, wanted, there)
	}
	if live == nil && empty(want) || equal(name, want, live) {
		return nil
	}
	return []string{path}
}

func differMaps(path, name string, want, live map[string]any) []string {
	var found []string
	for _, field := range slices.Sorted(maps.Keys(want)) {
		last := field
		if quantities[name] {
			last = name // its fields are cpu, memory and the like
		}
		found = append(found, differ(path+"."+field, last, want[field], live[field])...)
	}
	return found
}

func differLists(path, name string, want, live []any) []string {
	by := keysOf(name, want)
	if by == nil && len(want) != len(live) {
		return []string{path}
	}
	var found []string
	for i, item := range want {
		var other any
		if by != nil {
			other = itemOf(live, by, item)
		} else {
			other = live[i]
		}
		found = append(found, differ(fmt.Sprintf("%s[%d]", path, i), "", item, other)...)
	}
	return found
}

// itemOf returns the item of a list with the same keys as another item. A key
// that the other does not have is one with a default, as protocol.
func itemOf(list []any, by []string, item any) any {
	wanted, _ := item.(map[string]any)
	for _, candidate := range list {
		m, ok := candidate.(map[string]any)
		for _, key := range by {
			ok = ok && (wanted[key] == nil || fmt.Sprint(m[key]) == fmt.Sprint(wanted[key]))
		}
		if ok {
			return candidate
		}
	}
	return nil
}

// empty tells whether a value is one that the API server drops.
func empty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case int64:
		return v == 0
	case float64:
		return v == 0
	case []any:
		return len(v) == 0
	case map[string]any:
		for _, inner := range v {
			if !empty(inner) {
				return false
			}
		}
		return true
	}
	return false
}

func equal(name string, want, live any) bool {
	if want == live || fmt.Sprint(want) == fmt.Sprint(live) {
		return true
	}
	if !quantities[name] {
		return false
	}
	a, errA := resource.ParseQuantity(fmt.Sprint(want))
	b, errB := resource.ParseQuantity(fmt.Sprint(live))
	return errA == nil && errB == nil && a.Cmp(b) == 0
}
