// Package webhook tests the webhook server as API servers see it: with the
// configuration and the roles that the chart installs.
package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kubefledged/kubefledged-operator/internal/fixture/controlplane"
	"github.com/kubefledged/kubefledged-operator/internal/webhook"
)

const (
	configurationName = "kubefledged-webhook-server"
	secretName        = "kubefledged-webhook-server-cert"
	path              = "/validate-image-cache"
)

var cp *controlplane.ControlPlane

// user may do what the chart grants to the webhook server.
var user *rest.Config

func TestMain(m *testing.M) { os.Exit(controlplane.Main(prepared{m}, &cp)) }

// prepared runs the tests once the server's user exists.
type prepared struct{ m *testing.M }

func (p prepared) Run() int {
	logger := logr.Discard()
	if testing.Verbose() {
		logger = klog.NewKlogr()
	}
	ctrl.SetLogger(logger) // it counts once
	var err error
	if user, err = cp.User("webhook-server", shippedRules()); err != nil {
		klog.ErrorS(err, "cannot make the webhook server's user")
		return 1
	}
	return p.m.Run()
}

// shipped calls visit with every object of the chart, rendered with its defaults.
func shipped(visit func(kind, name string, document []byte)) {
	content, err := os.ReadFile(filepath.Join("..", "..", "..", "helm-charts", "testdata", "defaults.golden.yaml"))
	if err != nil {
		panic(err)
	}
	for _, document := range strings.Split(string(content), "\n---\n") {
		var object struct {
			Kind     string
			Metadata struct{ Name string }
		}
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			panic(err)
		}
		visit(object.Kind, object.Metadata.Name, []byte(document))
	}
}

func shippedRules() []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule
	shipped(func(kind, name string, document []byte) {
		if (kind != "Role" && kind != "ClusterRole") || !strings.Contains(name, "webhook-server") {
			return
		}
		var role rbacv1.ClusterRole
		if err := yaml.Unmarshal(document, &role); err != nil {
			panic(err)
		}
		rules = append(rules, role.Rules...)
	})
	if len(rules) == 0 {
		panic("the chart has no roles of the webhook server")
	}
	return rules
}

// configuration returns the chart's ValidatingWebhookConfiguration, with one
// webhook for each address in place of the Service.
func configuration(addresses ...string) *admissionregistrationv1.ValidatingWebhookConfiguration {
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	shipped(func(kind, _ string, document []byte) {
		if kind == "ValidatingWebhookConfiguration" {
			if err := yaml.UnmarshalStrict(document, configuration); err != nil {
				panic(err)
			}
		}
	})
	one := configuration.Webhooks[0]
	configuration.Webhooks = nil
	for i, address := range addresses {
		webhook := *one.DeepCopy()
		webhook.ClientConfig = admissionregistrationv1.WebhookClientConfig{URL: ptr.To("https://" + address + path)}
		if i > 0 {
			webhook.Name = fmt.Sprintf("replica%d.%s", i, one.Name)
		}
		configuration.Webhooks = append(configuration.Webhooks, webhook)
	}
	return configuration
}

// install creates the configuration and removes it after the test.
func install(t *testing.T, addresses ...string) *admissionregistrationv1.ValidatingWebhookConfiguration {
	t.Helper()
	c := configuration(addresses...)
	if err := cp.Client.Create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { uninstall(t) })
	return c
}

func uninstall(t *testing.T) {
	t.Helper()
	err := client.IgnoreNotFound(cp.Client.Delete(context.Background(), configuration()))
	if err != nil {
		t.Error(err)
	}
}

// listen returns a listener on loopback and its address.
func listen(t *testing.T) (net.Listener, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener, listener.Addr().String()
}

// start runs a server on the listener and returns a function that stops it; it is
// stopped at the end of the test in any case.
func start(t *testing.T, namespace string, listener net.Listener, mods ...func(*webhook.Options)) (stop func()) {
	t.Helper()
	return startAs(t, user, namespace, listener, mods...)
}

func startAs(t *testing.T, user *rest.Config, namespace string, listener net.Listener, mods ...func(*webhook.Options)) (stop func()) {
	t.Helper()
	o := webhook.DefaultOptions()
	o.Namespace, o.MetricsAddress, o.ProbeAddress = namespace, "0", "0"
	o.Listener, o.Names, o.ShutdownDelay = listener, []string{"127.0.0.1"}, 0
	for _, mod := range mods {
		mod(&o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- webhook.RunWith(ctx, rest.CopyConfig(user), o) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("the webhook server ended: %v", err)
			}
		case <-time.After(30 * time.Second):
			t.Error("the webhook server does not stop")
		}
	}
	t.Cleanup(stop)
	return stop
}

// serving installs the configuration and one server, in a namespace of its own,
// and waits until API server and server know each other.
func serving(t *testing.T, mods ...func(*webhook.Options)) (namespace string) {
	t.Helper()
	namespace = newNamespace(t)
	listener, address := listen(t)
	install(t, address)
	start(t, namespace, listener, mods...)
	waitUntilReady(t, address)
	waitUntilAsked(t, namespace)
	return namespace
}

func newNamespace(t *testing.T) string {
	t.Helper()
	name, err := cp.Namespace(strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name())))
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// ready asks the readiness probe, whoever the server is.
func ready(address string) error {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport, Timeout: 2 * time.Second}).Get("https://" + address + "/readyz")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(response.Body)
		return fmt.Errorf("HTTP %d: %s", response.StatusCode, body)
	}
	return nil
}

func waitUntilReady(t *testing.T, address string) {
	t.Helper()
	eventually(t, "the webhook server is ready", func() error { return ready(address) })
}

// waitUntilAsked waits until the API server, too, has read the configuration.
func waitUntilAsked(t *testing.T, namespace string) {
	t.Helper()
	eventually(t, "the API server asks the webhook server", func() error {
		err := cp.Client.Create(t.Context(), twice(namespace, "probe"), client.DryRunAll)
		if !apierrors.IsInvalid(err) {
			return fmt.Errorf("a bad ImageCache is answered with: %w", errors.Join(err, errors.New("not refused")))
		}
		return nil
	})
}

func eventually(t *testing.T, what string, condition func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = condition(); err == nil {
			return
		}
	}
	t.Fatalf("waited a minute in vain: %s: %v", what, err)
}

// kubectl runs kubectl with a manifest on its standard input and returns what it prints.
func kubectl(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	command, err := cp.Kubectl(ctx, args...)
	if err != nil {
		t.Fatal(err)
	}
	command.Stdin = strings.NewReader(stdin)
	output, err := command.CombinedOutput()
	return string(output), err
}
