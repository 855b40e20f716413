package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/kubefledged/kubefledged-operator/internal/webhook/certificate"
)

const deadline = 10 * time.Second

func issued(t *testing.T, o Options) certificate.Set {
	t.Helper()
	set, err := certificate.Apply(certificate.Restart, certificate.Input{Names: o.names(), Periods: o.Periods, Now: now()})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// serve runs a server until the test or stop ends it.
func serve(t *testing.T, handler http.Handler, serving *tls.Certificate, delay time.Duration) (s *server, stop func(), done chan error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		if serving == nil {
			return nil, errors.New("none")
		}
		return serving, nil
	}}
	s = newServer(listener, config, handler, delay, logr.Discard())
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	done = make(chan error, 1)
	go func() { done <- s.run(ctx) }()
	return s, stop, done
}

func get(s *server) (string, error) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true, ForceAttemptHTTP2: true}
	response, err := (&http.Client{Transport: transport, Timeout: deadline}).Get("https://" + s.listener.Addr().String())
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// TestShutdown: readiness says no at once, requests are still taken for a while,
// those under way are answered, and then nothing listens any more.
func TestShutdown(t *testing.T) {
	arrived, answer := make(chan struct{}, 2), make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-answer
		_, _ = io.WriteString(w, "answered")
	})
	o := DefaultOptions()
	set := issued(t, o)
	s, stop, done := serve(t, handler, set.Serving, 500*time.Millisecond)
	ready := &readiness{server: s, log: logr.Discard()}
	if err := ready.find(t.Context()); err != nil {
		t.Fatalf("not ready: %v", err)
	}
	type result struct {
		body string
		err  error
	}
	results := make(chan result, 2)
	call := func() {
		body, err := get(s)
		results <- result{body, err}
	}
	go call()
	receive(t, arrived)
	stop()
	waitFor(t, func() bool {
		err := ready.find(t.Context())
		return err != nil && strings.Contains(err.Error(), "about to end")
	})
	go call() // from somebody who has not heard of it
	receive(t, arrived)
	select {
	case err := <-done:
		t.Fatalf("ended with calls under way: %v", err)
	case <-time.After(time.Second):
	}
	close(answer)
	for range 2 {
		if r := <-results; r.err != nil || r.body != "answered" {
			t.Errorf("a call was lost: %+v", r)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := get(s); err == nil {
		t.Error("still served after the end")
	}
}

func receive(t *testing.T, arrived chan struct{}) {
	t.Helper()
	select {
	case <-arrived:
	case <-time.After(deadline):
		t.Fatal("a call does not arrive")
	}
}

func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	for until := time.Now().Add(deadline); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("waited in vain")
		}
	}
}

func TestReadiness(t *testing.T) {
	o := DefaultOptions()
	set, other := issued(t, o), issued(t, o)
	elsewhere := o
	elsewhere.Namespace = "elsewhere"
	foreign := issued(t, elsewhere)
	handler := http.NotFoundHandler()
	for name, test := range map[string]struct {
		serving *tls.Certificate
		bundles [][]byte // of each webhook; nil: there is no configuration
		want    string   // part of the reason; empty: ready
	}{
		"trusted":                     {set.Serving, [][]byte{set.Bundle()}, ""},
		"trusted beside another":      {set.Serving, [][]byte{append(other.Bundle(), set.Bundle()...)}, ""},
		"no configuration":            {set.Serving, nil, `"kubefledged-webhook-server" not found`},
		"no caBundle":                 {set.Serving, [][]byte{nil}, "the webhook configuration has no caBundle for w0"},
		"one caBundle of two":         {set.Serving, [][]byte{set.Bundle(), nil}, "no caBundle for w1"},
		"another authority":           {set.Serving, [][]byte{other.Bundle()}, "API servers would not take our certificate: tls: failed to verify certificate: x509"},
		"another name":                {foreign.Serving, [][]byte{foreign.Bundle()}, "not kubefledged-webhook-server.kube-fledged.svc"},
		"no certificate to show them": {nil, [][]byte{set.Bundle()}, "API servers would not take our certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			builder := fake.NewClientBuilder().WithScheme(scheme())
			if test.bundles != nil {
				c := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: o.WebhookConfiguration}}
				for i, bundle := range test.bundles {
					c.Webhooks = append(c.Webhooks, admissionregistrationv1.ValidatingWebhook{
						Name: []string{"w0", "w1"}[i], ClientConfig: admissionregistrationv1.WebhookClientConfig{CABundle: bundle}})
				}
				builder = builder.WithObjects(c)
			}
			s, _, _ := serve(t, handler, test.serving, 0)
			r := &readiness{configurations: builder.Build(), configuration: o.WebhookConfiguration, host: o.host(), server: s, log: logr.Discard()}
			err := r.find(t.Context())
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// TestTogether: the server ends before what keeps its certificates, and either
// one's failure ends both.
func TestTogether(t *testing.T) {
	untilDone := func(ctx context.Context) error { <-ctx.Done(); return nil }
	t.Run("the signal", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var order []string
		err := together(ctx, func(ctx context.Context) error {
			<-ctx.Done()
			order = append(order, "manager")
			return nil
		}, func(ctx context.Context) error {
			<-ctx.Done()
			order = append(order, "server")
			return nil
		})
		if got := strings.Join(order, " "); err != nil || got != "server manager" {
			t.Errorf("got %v, %s", err, got)
		}
	})
	failure := errors.New("failed")
	failing := func(context.Context) error { return failure }
	if err := together(t.Context(), failing, untilDone); !errors.Is(err, failure) {
		t.Errorf("the manager's failure: %v", err)
	}
	if err := together(t.Context(), untilDone, failing); !errors.Is(err, failure) {
		t.Errorf("the server's failure: %v", err)
	}
}
