package kubefledged

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/distribution/reference"
	"github.com/spf13/pflag"

	"github.com/kubefledged/kubefledged-operator/internal/release"
)

// Environment variables. Those of images are what OLM and mirrors of registries
// know; the others are the original operator's.
const (
	envControllerImage = "RELATED_IMAGE_KUBEFLEDGED_CONTROLLER"
	envCRIClientImage  = "RELATED_IMAGE_KUBEFLEDGED_CRI_CLIENT"
	envPodNamespace    = "POD_NAMESPACE"
	envWatchNamespace  = "WATCH_NAMESPACE"
)

// defaultNamespace is where the operator is when nothing says so.
const defaultNamespace = "kube-fledged"

// Options are the operator's settings.
type Options struct {
	Images release.Images
	// Namespace is the operator's own.
	Namespace string
	// WatchNamespaces are those whose KubeFledgeds are cared for; empty for all.
	WatchNamespaces []string
	LeaderElect     bool
	MetricsAddress  string
	ProbeAddress    string
	Kubeconfig      string
	// Chart is another one than the operator's own, for tests.
	Chart *release.Chart
}

// DefaultOptions returns the settings of an operator without flags, with what
// the environment says.
func DefaultOptions() Options {
	o := Options{
		Images:         release.Images{Controller: os.Getenv(envControllerImage), CRIClient: os.Getenv(envCRIClientImage)},
		Namespace:      os.Getenv(envPodNamespace),
		LeaderElect:    true,
		MetricsAddress: ":8080",
		ProbeAddress:   ":8081",
	}
	if o.Namespace == "" {
		o.Namespace = defaultNamespace
	}
	for _, namespace := range strings.Split(os.Getenv(envWatchNamespace), ",") {
		if namespace = strings.TrimSpace(namespace); namespace != "" {
			o.WatchNamespaces = append(o.WatchNamespaces, namespace)
		}
	}
	return o
}

// AddFlags adds a flag for each setting.
func (o *Options) AddFlags(fs *pflag.FlagSet) {
	fs.SortFlags = false
	fs.StringVar(&o.Images.Controller, "controller-image", o.Images.Controller, "The `image` of the controller and the webhook server, unless a KubeFledged has its own. Also set by the environment variable "+envControllerImage+". (default: the chart's)")
	fs.StringVar(&o.Images.CRIClient, "cri-client-image", o.Images.CRIClient, "The `image` of the helper on nodes, unless a KubeFledged has its own. Also set by the environment variable "+envCRIClientImage+". (default: the chart's)")
	fs.StringSliceVar(&o.WatchNamespaces, "watch-namespaces", o.WatchNamespaces, "The `namespaces` whose KubeFledgeds are cared for, separated by commas. Also set by the environment variable "+envWatchNamespace+". (default: all)")
	fs.StringVar(&o.Namespace, "namespace", o.Namespace, "The `namespace` of the operator's own objects. Also set by the environment variable "+envPodNamespace+".")
	fs.BoolVar(&o.LeaderElect, "leader-elect", o.LeaderElect, "Let only one of several replicas work.")
	fs.StringVar(&o.MetricsAddress, "metrics-bind-address", o.MetricsAddress, "The `address` of the metrics endpoint, [host]:port; 0 turns it off.")
	fs.StringVar(&o.ProbeAddress, "health-probe-bind-address", o.ProbeAddress, "The `address` of the endpoints /healthz and /readyz, [host]:port; 0 turns them off.")
	fs.StringVar(&o.Kubeconfig, "kubeconfig", o.Kubeconfig, "The `path` of a kubeconfig, for running outside a cluster.")
}

// Validate returns every setting that is wrong, each with its flag.
func (o *Options) Validate() error {
	var errs []error
	for _, image := range []struct{ flag, value string }{{"controller-image", o.Images.Controller}, {"cri-client-image", o.Images.CRIClient}} {
		if image.value == "" {
			continue
		}
		if _, err := reference.ParseNormalizedNamed(image.value); err != nil {
			errs = append(errs, fmt.Errorf("--%s: %q: %w", image.flag, image.value, err))
		}
	}
	return errors.Join(errs...)
}
