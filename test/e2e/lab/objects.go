package lab

import (
	"context"
	"slices"
	"strings"
	"time"
)

// goneLimit is for the garbage collector to take what has no owner any more.
const goneLimit = time.Minute

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

// AwaitOnly waits until there are no objects but those, and returns how long
// that took.
func (c *Cluster) AwaitOnly(ctx context.Context, known []string) (time.Duration, error) {
	began := time.Now()
	err := Poll(ctx, "nothing left", goneLimit, func(ctx context.Context) (bool, string) {
		now, err := c.Objects(ctx)
		if err != nil {
			return false, err.Error()
		}
		left := Without(now, known)
		return len(left) == 0, strings.Join(left, ", ")
	})
	return time.Since(began), err
}

// Without returns what is in all and not in known.
func Without(all, known []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(object string) bool { return slices.Contains(known, object) })
}
