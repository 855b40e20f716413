package lab

import (
	"context"
	"slices"
	"strings"
)

// Objects lists all objects of the cluster, but for what comes and goes on any
// cluster: kind, namespace, name.
func (c *Cluster) Objects(ctx context.Context) ([]string, error) {
	output, err := c.Kubectl(ctx, "api-resources", "--verbs=list", "-o", "name")
	if err != nil {
		return nil, err
	}
	kinds := slices.DeleteFunc(strings.Fields(output), func(kind string) bool {
		return kind == "events" || kind == "events.events.k8s.io" || kind == "componentstatuses"
	})
	output, err = c.Kubectl(ctx, "get", strings.Join(kinds, ","), "-A", "-o",
		`jsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name}{"\n"}{end}`)
	lines := strings.Split(output, "\n")
	slices.Sort(lines)
	return slices.Compact(lines), err
}
