package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// probeTimeout is within the second that kubelets give a probe.
const probeTimeout = 800 * time.Millisecond

// readiness asks what an API server would find: does a handshake with this
// replica succeed for somebody who trusts the caBundle of the configuration?
type readiness struct {
	configurations client.Reader
	configuration  string // empty: none, every certificate will do
	host           string
	server         *server
	log            logr.Logger

	mutex sync.Mutex
	last  string
}

// check is a healthz.Checker. Why a server is not ready goes into the log, once:
// a kubelet shows the code only.
func (r *readiness) check(request *http.Request) error {
	ctx, cancel := context.WithTimeout(request.Context(), probeTimeout)
	defer cancel()
	err := r.find(ctx)
	r.report(err)
	return err
}

func (r *readiness) find(ctx context.Context) error {
	if r.server.draining.Load() {
		return errors.New("the server is about to end")
	}
	if r.configuration == "" {
		return r.handshake(ctx, &tls.Config{InsecureSkipVerify: true}) // nobody said whom to trust
	}
	var configuration admissionregistrationv1.ValidatingWebhookConfiguration
	if err := r.configurations.Get(ctx, types.NamespacedName{Name: r.configuration}, &configuration); err != nil {
		return fmt.Errorf("read the webhook configuration: %w", err)
	}
	for _, webhook := range configuration.Webhooks {
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(webhook.ClientConfig.CABundle) {
			return fmt.Errorf("the webhook configuration has no caBundle for %s", webhook.Name)
		}
		if err := r.handshake(ctx, &tls.Config{RootCAs: roots, ServerName: r.host}); err != nil {
			return err
		}
	}
	return nil
}

func (r *readiness) handshake(ctx context.Context, config *tls.Config) error {
	config.NextProtos = []string{"http/1.1"}
	address := r.server.listener.Addr()
	conn, err := (&tls.Dialer{NetDialer: &net.Dialer{}, Config: config}).DialContext(ctx, address.Network(), address.String())
	if err != nil {
		return fmt.Errorf("API servers would not take our certificate: %w", err)
	}
	return conn.Close()
}

func (r *readiness) report(err error) {
	state := "ready"
	if err != nil {
		state = err.Error()
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.last == state {
		return
	}
	r.last = state
	if err == nil {
		r.log.Info("ready")
	} else {
		r.log.Info("not ready", "reason", state)
	}
}
