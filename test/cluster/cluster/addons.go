//go:build linux

package cluster

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kubefledged/kubefledged-operator/test/cluster/build"
	"github.com/kubefledged/kubefledged-operator/test/cluster/components"
	"github.com/kubefledged/kubefledged-operator/test/cluster/images"
	"github.com/kubefledged/kubefledged-operator/test/cluster/network"
	"github.com/kubefledged/kubefledged-operator/test/cluster/supervise"
)

const (
	goarch       = runtime.GOARCH
	coreDNSImage = "registry.k8s.io/coredns/coredns:v1.15.0"
)

//go:embed addons/addons.yaml
var addons []byte

// plurals are the paths' names of the kinds that the addons use.
var plurals = map[string]string{
	"ClusterRole":        "clusterroles",
	"ClusterRoleBinding": "clusterrolebindings",
	"ConfigMap":          "configmaps",
	"Deployment":         "deployments",
	"Service":            "services",
	"ServiceAccount":     "serviceaccounts",
}

// applyAddons makes what every cluster has besides its components: cluster DNS
// and the API server's right to use the kubelets.
func (r *running) applyAddons(ctx context.Context) error {
	text := strings.NewReplacer("$(DNS_IP)", network.DNSIP, "$(COREDNS_IMAGE)", coreDNSImage).Replace(string(addons))
	for document := range bytes.SplitSeq([]byte(text), []byte("\n---\n")) {
		path, err := objectPath(document)
		if err != nil {
			return err
		}
		if err := r.apply(ctx, path, document); err != nil {
			return fmt.Errorf("addons: %w", err)
		}
	}
	return nil
}

// objectPath returns the path of the object in the API.
func objectPath(document []byte) (string, error) {
	var parsed struct {
		APIVersion string
		Kind       string
		Metadata   struct{ Name, Namespace string }
	}
	if err := yaml.Unmarshal(document, &parsed); err != nil {
		return "", err
	}
	plural, known := plurals[parsed.Kind]
	if !known {
		return "", fmt.Errorf("addons: kind %q", parsed.Kind)
	}
	path := "/apis/" + parsed.APIVersion
	if !strings.Contains(parsed.APIVersion, "/") {
		path = "/api/" + parsed.APIVersion
	}
	if parsed.Metadata.Namespace != "" {
		path += "/namespaces/" + parsed.Metadata.Namespace
	}
	return path + "/" + plural + "/" + parsed.Metadata.Name, nil
}

// awaitDNS waits until CoreDNS answers.
func (r *running) awaitDNS(ctx context.Context) error {
	return poll(ctx, "cluster DNS", supervise.Timeout, func(ctx context.Context) (bool, error) {
		var deployment struct {
			Status struct{ AvailableReplicas int }
		}
		err := r.get(ctx, "/apis/apps/v1/namespaces/kube-system/deployments/coredns", &deployment)
		return err == nil && deployment.Status.AvailableReplicas > 0, err
	})
}

// pushBaseImages pushes the images that the cluster itself runs.
func (r *running) pushBaseImages(ctx context.Context) error {
	programs, err := r.binaries(build.Programs)
	if err != nil {
		return err
	}
	coreDNS, err := r.binaries(build.CoreDNS)
	if err != nil {
		return err
	}
	for reference, program := range map[string]string{
		components.PauseImage: filepath.Join(programs, "pause"),
		coreDNSImage:          filepath.Join(coreDNS, "coredns"),
	} {
		if err := r.pushUnlessThere(ctx, reference, program); err != nil {
			return fmt.Errorf("pushing %s: %w", reference, err)
		}
	}
	return nil
}

func (r *running) pushUnlessThere(ctx context.Context, reference, program string) error {
	there, err := images.Exists(ctx, reference, components.RegistryAdminAddress, r.registryTransport())
	if err != nil || there {
		return err
	}
	image, err := images.New(images.Options{Program: program})
	if err != nil {
		return err
	}
	_, err = images.Push(ctx, image, reference, components.RegistryAdminAddress, r.registryTransport())
	return err
}

// registryTransport connects from the control plane's network namespace.
func (r *running) registryTransport() http.RoundTripper {
	return &http.Transport{DialContext: network.Dialer(r.plan.Names.ControlPlane())}
}
