package keeper

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var expiration = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "kubefledged_webhook_certificate_expiration_timestamp_seconds",
	Help: "When the certificate ends, in seconds since 1970: serving, and ca that of the newest authority.",
}, []string{"certificate"})

func init() { metrics.Registry.MustRegister(expiration) }

func recordExpiration(name string, cert *x509.Certificate) {
	expiration.WithLabelValues(name).Set(float64(cert.NotAfter.Unix()))
}

// Holder has the certificate that is served, for handshakes to read.
type Holder struct {
	current atomic.Pointer[tls.Certificate]
}

// Get returns the certificate, nil when there is none yet.
func (h *Holder) Get() *tls.Certificate { return h.current.Load() }

// Set has the next handshakes use a certificate.
func (h *Holder) Set(cert *tls.Certificate) {
	h.current.Store(cert)
	RecordServing(cert)
}

// RecordServing has the metrics say when the certificate that is served ends.
func RecordServing(cert *tls.Certificate) {
	if cert.Leaf != nil {
		recordExpiration("serving", cert.Leaf)
	}
}

// GetCertificate is that of a tls.Config.
func (h *Holder) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if cert := h.Get(); cert != nil {
		return cert, nil
	}
	return nil, errors.New("there is no certificate yet")
}
