//go:build linux

package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kubefledged/kubefledged-operator/test/cluster/build"
)

// olmNamespace is where OLM runs, and where catalogs for all namespaces are.
const olmNamespace = "olm"

// olmLimit is for OLM's pods to run and its own CSV to succeed. They take half
// a minute on an idle machine.
const olmLimit = 4 * time.Minute

// OLMUp makes sure that OLM runs on the cluster. With scorecard, the registry
// also gets the images of operator-sdk's scorecard.
func (c *Cluster) OLMUp(ctx context.Context, scorecard bool) error {
	return c.change(ctx, func(r *running) error {
		started := time.Now()
		if err := r.pushOLMImages(ctx, scorecard); err != nil {
			return err
		}
		objects, err := r.olmObjects(ctx)
		if err != nil {
			return err
		}
		crds, others := partition(objects, isCRD)
		for _, args := range [][]string{
			{"apply", "--server-side", "--force-conflicts", "-f", "-"},
			{"wait", "--for=condition=Established", "--timeout=30s", "-f", "-"},
		} {
			if err := r.kubectl(ctx, crds, args...); err != nil {
				return err
			}
		}
		if err := r.kubectl(ctx, others, "apply", "--server-side", "--force-conflicts", "-f", "-"); err != nil {
			return err
		}
		if err := r.awaitOLM(ctx); err != nil {
			return err
		}
		c.say("OLM %s is up after %.1f s", build.OLMVersion, time.Since(started).Seconds())
		return nil
	})
}

// awaitOLM waits until OLM has installed its own package server, which takes
// all of its parts, and the API server can use that.
func (r *running) awaitOLM(ctx context.Context) error {
	return poll(ctx, "OLM", olmLimit, func(ctx context.Context) (bool, error) {
		parts, err := r.olmParts(ctx)
		if err != nil {
			return false, err
		}
		for _, part := range parts {
			if !part.healthy {
				return false, fmt.Errorf("%s: %s", part.name, part.status)
			}
		}
		return true, nil
	})
}

// OLMStatus writes a table of OLM's parts and an error when not all are
// healthy.
func (c *Cluster) OLMStatus(ctx context.Context, output io.Writer) error {
	r, err := c.open()
	if err != nil {
		return err
	}
	parts, err := r.olmParts(ctx)
	if err != nil {
		return err
	}
	healthy := true
	for _, part := range parts {
		fmt.Fprintf(output, "%-36s %s\n", part.name, part.status)
		healthy = healthy && part.healthy
	}
	if !healthy {
		return errUnhealthy
	}
	return nil
}

// OLMDown removes OLM, and all that has been installed with it: first what OLM
// itself has to clear up, then OLM. The images stay in the registry.
func (c *Cluster) OLMDown(ctx context.Context) error {
	return c.change(ctx, func(r *running) error {
		objects, err := r.olmObjects(ctx)
		if err != nil {
			return err
		}
		crds, others := partition(objects, isCRD)
		for _, kind := range []string{"subscriptions", "clusterserviceversions", "installplans", "catalogsources", "operatorgroups"} {
			err := r.kubectl(ctx, nil, "delete", kind+".operators.coreos.com", "--all", "--all-namespaces", "--timeout=2m")
			if err != nil && !strings.Contains(err.Error(), "doesn't have a resource type") {
				return err
			}
		}
		slices.Reverse(others)
		if err := r.kubectl(ctx, crds, "delete", "--ignore-not-found", "--timeout=2m", "-f", "-"); err != nil {
			return err
		}
		return r.kubectl(ctx, others, "delete", "--ignore-not-found", "--timeout=2m", "-f", "-")
	})
}

func isCRD(o object) bool { return o["kind"] == "CustomResourceDefinition" }

func partition(objects []object, first func(object) bool) (yes, no []object) {
	for _, o := range objects {
		if first(o) {
			yes = append(yes, o)
		} else {
			no = append(no, o)
		}
	}
	return yes, no
}

// kubectl runs kubectl with the objects, if any, on its standard input.
func (r *running) kubectl(ctx context.Context, objects []object, args ...string) error {
	command := exec.CommandContext(ctx, filepath.Join(r.plan.Kubernetes, "kubectl"), append(args, "--kubeconfig="+r.HostKubeconfig())...)
	if objects != nil {
		input, err := json.Marshal(object{"apiVersion": "v1", "kind": "List", "items": objects})
		if err != nil {
			return err
		}
		command.Stdin = bytes.NewReader(input)
	}
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(output))
	}
	return nil
}
