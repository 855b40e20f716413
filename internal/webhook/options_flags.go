package webhook

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
)

// longestDelay leaves time for calls under way within the 30 seconds that a pod
// has to end.
const longestDelay = 10 * time.Minute

// AddFlags adds a flag for each setting, in the order in which the help shows
// them. A word in backquotes is what the help calls the value.
func (o *Options) AddFlags(fs *pflag.FlagSet) {
	fs.SortFlags = false
	fs.IntVar(&o.Port, "port", o.Port, "The `port` that admission requests are answered on.")
	fs.BoolVar(&o.SelfSigned, "self-signed", o.SelfSigned, "Make and rotate the certificates, and write their authorities into the webhook configuration. With --self-signed=false --cert-file and --key-file are served, and read again when they change; somebody else, as cert-manager, writes the caBundle.")
	fs.StringVar(&o.CertFile, "cert-file", o.CertFile, "The `path` of the certificate, with --self-signed=false. The environment variable "+envCertificates+" sets its directory and that of the key.")
	fs.StringVar(&o.KeyFile, "key-file", o.KeyFile, "The `path` of the certificate's key, with --self-signed=false.")
	fs.StringVar(&o.CertificateSecret, "certificate-secret", o.CertificateSecret, "The `name` of the Secret that the replicas share their certificates in. (default: the Service's with \""+secretSuffix+"\" appended)")
	fs.StringVar(&o.Service, "service", o.Service, "The `name` of our Service, which the certificate is made out to. Also set by the environment variable "+envService+".")
	fs.StringVar(&o.WebhookConfiguration, "webhook-configuration", o.WebhookConfiguration, "The `name` of our ValidatingWebhookConfiguration; the server is ready once that trusts its certificate. Empty: there is none that we know of. Also set by the environment variable "+envConfiguration+".")
	fs.BoolVar(&o.InitServer, "init-server", o.InitServer, "Do nothing and end: what the original's init container prepared, the server does by itself.")
	fs.DurationVar(&o.ShutdownDelay, "shutdown-delay", o.ShutdownDelay, "How long requests are still taken after the signal to end, while readiness already says no.")
	fs.StringVar(&o.Namespace, "namespace", o.Namespace, "The `namespace` of the Service and the Secret. Also set by the environment variable "+envNamespace+"; else it is the pod's.")
	fs.StringVar(&o.MetricsAddress, "metrics-bind-address", o.MetricsAddress, "The `address` of the metrics endpoint, [host]:port; 0 turns it off.")
	fs.StringVar(&o.ProbeAddress, "health-probe-bind-address", o.ProbeAddress, "The `address` of the endpoints /healthz and /readyz, [host]:port; 0 turns them off. Both are on --port too, behind TLS.")
}

// mistakes collects what is wrong, each with the flag it is about.
type mistakes []error

func (m *mistakes) add(flag, format string, args ...any) {
	*m = append(*m, fmt.Errorf("--%s: %s", flag, fmt.Sprintf(format, args...)))
}

// Validate returns every setting that is wrong, each with its flag and what it may be.
func (o *Options) Validate() error {
	var m mistakes
	if o.Port < 1 || o.Port > 65535 {
		m.add("port", "%d: must be a number from 1 to 65535", o.Port)
	}
	if o.ShutdownDelay < 0 || o.ShutdownDelay > longestDelay {
		m.add("shutdown-delay", "%s: must be from 0s to %s", o.ShutdownDelay, longestDelay)
	}
	if !o.SelfSigned && o.CertFile == "" {
		m.add("cert-file", "must be given with --self-signed=false")
	}
	if !o.SelfSigned && o.KeyFile == "" {
		m.add("key-file", "must be given with --self-signed=false")
	}
	m.name("namespace", o.Namespace, validation.IsDNS1123Label)
	m.name("service", o.Service, validation.IsDNS1123Label)
	m.name("certificate-secret", o.certificateSecret(), validation.IsDNS1123Subdomain)
	if o.WebhookConfiguration != "" {
		m.name("webhook-configuration", o.WebhookConfiguration, validation.IsDNS1123Subdomain)
	}
	m.address("metrics-bind-address", o.MetricsAddress)
	m.address("health-probe-bind-address", o.ProbeAddress)
	return errors.Join(m...)
}

func (m *mistakes) name(flag, name string, problems func(string) []string) {
	if found := problems(name); len(found) > 0 {
		m.add(flag, "%q: %s", name, found[0])
	}
}

// address refuses what no endpoint can listen on; 0 is for none.
func (m *mistakes) address(flag, address string) {
	if address == "0" {
		return
	}
	_, port, err := net.SplitHostPort(address)
	if n, bad := strconv.Atoi(port); err != nil || bad != nil || n < 0 || n > 65535 {
		m.add(flag, "%q: must be [host]:port, for example :8081, or 0 for no endpoint", address)
	}
}
