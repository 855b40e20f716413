// Package webhook is the webhook server: it refuses ImageCaches that cannot work
// and keeps the certificate by which the API server knows it.
package webhook

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kubefledged/kubefledged-operator/internal/webhook/certificate"
)

// Environment variables, with the original's names.
const (
	envNamespace     = "KUBEFLEDGED_NAMESPACE"
	envService       = "WEBHOOK_SERVER_SERVICE"
	envConfiguration = "VALIDATING_WEBHOOK_CONFIG"
	envCertificates  = "CERT_KEY_PATH"
)

// Paths, with the original's names. The probes are also on a port of their own,
// where a kubelet needs no TLS.
const (
	pathValidate = "/validate-image-cache"
	pathMutate   = "/mutate-image-cache"
	pathReady    = "/readyz"
	pathHealth   = "/healthz"
)

const (
	defaultNamespace = "kube-fledged"
	// defaultName is that of the Service and of the configuration.
	defaultName = "kubefledged-webhook-server"
	// secretSuffix makes the Secret's name of the Service's.
	secretSuffix = "-cert"
	// podNamespaceFile tells a pod its namespace, unless its token is not mounted.
	podNamespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
	// certificateDirectory is where the original's manifests mount certificates.
	certificateDirectory = "/var/run/secrets/webhook-server"
)

// Options are the webhook server's settings, one per flag.
type Options struct {
	Port          int
	ShutdownDelay time.Duration

	// Certificates.
	SelfSigned           bool
	CertFile, KeyFile    string
	CertificateSecret    string
	Service              string
	WebhookConfiguration string
	InitServer           bool

	Namespace      string
	MetricsAddress string
	ProbeAddress   string

	// What has no flag. Names are served besides the Service's, and Listener is
	// listened on instead of Port.
	Periods  certificate.Periods
	Names    []string
	Listener net.Listener
}

// DefaultOptions returns the settings of a server without flags, with what the
// environment says.
func DefaultOptions() Options {
	directory := environment(envCertificates, certificateDirectory)
	return Options{
		Port:                 8443,
		ShutdownDelay:        5 * time.Second,
		SelfSigned:           true,
		CertFile:             filepath.Join(directory, certificate.KeyServing),
		KeyFile:              filepath.Join(directory, certificate.KeyServingKey),
		Service:              environment(envService, defaultName),
		WebhookConfiguration: environment(envConfiguration, defaultName),
		Namespace:            ownNamespace(podNamespaceFile),
		MetricsAddress:       ":8080",
		ProbeAddress:         ":8081",
		Periods:              certificate.DefaultPeriods(),
	}
}

func environment(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// ownNamespace returns the namespace the environment names, else the pod's,
// else the original's.
func ownNamespace(file string) string {
	content, err := os.ReadFile(file)
	if namespace := strings.TrimSpace(string(content)); err == nil && namespace != "" {
		return environment(envNamespace, namespace)
	}
	return environment(envNamespace, defaultNamespace)
}

// certificateSecret is the Secret with our certificates.
func (o *Options) certificateSecret() string {
	if o.CertificateSecret != "" {
		return o.CertificateSecret
	}
	return o.Service + secretSuffix
}

// host is the name that API servers ask for, by way of the Service.
func (o *Options) host() string { return o.Service + "." + o.Namespace + ".svc" }

func (o *Options) names() certificate.Names {
	return certificate.Names{
		Authority: o.host() + " CA",
		Serving:   append([]string{o.host(), o.host() + ".cluster.local"}, o.Names...),
	}
}
