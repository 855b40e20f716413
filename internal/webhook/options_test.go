package webhook

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
)

func parse(t *testing.T, args ...string) (Options, error) {
	t.Helper()
	o := DefaultOptions()
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.AddFlags(fs)
	err := fs.Parse(args)
	if err == nil {
		err = o.Validate()
	}
	return o, err
}

// TestValues holds, for every flag, values that are taken and values that are
// refused with an error that names the flag.
func TestValues(t *testing.T) {
	tests := map[string]struct{ good, bad []string }{
		"port":                      {good: []string{"443", "8443"}, bad: []string{"0", "65536", "https"}},
		"self-signed":               {good: []string{"true", "false"}, bad: []string{"maybe"}},
		"cert-file":                 {good: []string{"/a/b"}},
		"key-file":                  {good: []string{"/a/b"}},
		"certificate-secret":        {good: []string{"", "a.b"}, bad: []string{"A", "a/b"}},
		"service":                   {good: []string{"a"}, bad: []string{"", "A", "a.b"}},
		"webhook-configuration":     {good: []string{"", "a.b"}, bad: []string{"A", "a/b"}},
		"init-server":               {good: []string{"true", "false"}, bad: []string{"maybe"}},
		"shutdown-delay":            {good: []string{"0s", "10m"}, bad: []string{"-1s", "11m", "5"}},
		"namespace":                 {good: []string{"a"}, bad: []string{"", "a.b"}},
		"metrics-bind-address":      {good: []string{"0", ":0", "127.0.0.1:80"}, bad: []string{"", "80", ":x"}},
		"health-probe-bind-address": {good: []string{"0", ":0", "127.0.0.1:80"}, bad: []string{"", "80", ":x"}},
	}
	o := DefaultOptions()
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.AddFlags(fs)
	fs.VisitAll(func(f *pflag.Flag) {
		test, found := tests[f.Name]
		if !found {
			t.Errorf("--%s is not tested", f.Name)
		}
		for _, value := range test.good {
			if _, err := parse(t, "--"+f.Name+"="+value); err != nil {
				t.Errorf("--%s=%s: %v", f.Name, value, err)
			}
		}
		for _, value := range test.bad {
			if _, err := parse(t, "--"+f.Name+"="+value); err == nil || !strings.Contains(err.Error(), f.Name) {
				t.Errorf("--%s=%s: got %v", f.Name, value, err)
			}
		}
	})
	if _, err := parse(t, "--self-signed=false", "--cert-file=", "--key-file="); err == nil ||
		!strings.Contains(err.Error(), "--cert-file") || !strings.Contains(err.Error(), "--key-file") {
		t.Errorf("no files to serve: got %v", err)
	}
}

// The original's manifests set these.
func TestTheOriginalsEnvironment(t *testing.T) {
	t.Setenv("KUBEFLEDGED_NAMESPACE", "fledged")
	t.Setenv("WEBHOOK_SERVER_SERVICE", "svc")
	t.Setenv("VALIDATING_WEBHOOK_CONFIG", "config")
	t.Setenv("CERT_KEY_PATH", "/certs/")
	o, err := parse(t)
	if err != nil {
		t.Fatal(err)
	}
	if o.Namespace != "fledged" || o.host() != "svc.fledged.svc" || o.WebhookConfiguration != "config" ||
		o.CertFile != "/certs/tls.crt" || o.KeyFile != "/certs/tls.key" || o.certificateSecret() != "svc-cert" {
		t.Errorf("got %+v", o)
	}
	if o, err = parse(t, "--namespace=n", "--service=s", "--webhook-configuration=", "--certificate-secret=c"); err != nil ||
		o.host() != "s.n.svc" || o.WebhookConfiguration != "" || o.certificateSecret() != "c" {
		t.Errorf("flags do not win over the environment: %+v %v", o, err)
	}
}

func TestOwnNamespace(t *testing.T) {
	t.Setenv(envNamespace, "")
	file := filepath.Join(t.TempDir(), "namespace")
	if got := ownNamespace(file); got != "kube-fledged" {
		t.Errorf("outside a pod: %q", got)
	}
	if err := os.WriteFile(file, []byte("here\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := ownNamespace(file); got != "here" {
		t.Errorf("in a pod: %q", got)
	}
	t.Setenv(envNamespace, "there")
	if got := ownNamespace(file); got != "there" {
		t.Errorf("told by the environment: %q", got)
	}
}

// The original's init container runs the program with --init-server, and its pod
// starts when that ends. There is no API server here, so only this can succeed.
func TestInitServerEnds(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "nothing"))
	o, err := parse(t, "--init-server", "--cert-file=/tmp/a", "--key-file=/tmp/b", "--port=443")
	if err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), o, logr.Discard()); err != nil {
		t.Error(err)
	}
	o.InitServer = false
	if err := Run(t.Context(), o, logr.Discard()); err == nil {
		t.Error("a server ran without an API server")
	}
}
