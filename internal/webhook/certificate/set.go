package certificate

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"time"
)

// Keys of the Secret's data. Those of kubernetes.io/tls are among them, and are
// what cert-manager writes too.
const (
	KeyAuthorities   = "ca.crt"
	KeyAuthorityKey  = "ca.key"
	KeyServing       = "tls.crt"
	KeyServingKey    = "tls.key"
	pemCertificate   = "CERTIFICATE"
	pemPrivateKey    = "PRIVATE KEY"
	mostCertificates = 16
)

// Set is what the Secret holds.
type Set struct {
	// Authorities are trusted; the newest comes first, and it alone signs.
	Authorities []*x509.Certificate
	// Key is the first authority's, nil when it is not known.
	Key crypto.Signer
	// Serving is the server's certificate with its key, nil when there is none.
	Serving *tls.Certificate
}

// Parse reads a Secret's data. What cannot be read is as if it were not there:
// whoever wrote it, the server must come up.
func Parse(data map[string][]byte) Set {
	set := Set{Authorities: parseAuthorities(data[KeyAuthorities])}
	if len(set.Authorities) > 0 {
		set.Key = parseKey(data[KeyAuthorityKey], set.Authorities[0])
	}
	if pair, err := tls.X509KeyPair(data[KeyServing], data[KeyServingKey]); err == nil {
		set.Serving = &pair
	}
	return set
}

func parseAuthorities(content []byte) []*x509.Certificate {
	var authorities []*x509.Certificate
	for len(authorities) < mostCertificates {
		var block *pem.Block
		if block, content = pem.Decode(content); block == nil {
			break
		}
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == pemCertificate && cert.IsCA {
			authorities = append(authorities, cert)
		}
	}
	return authorities
}

// parseKey returns the key of authority, nil when this is not it.
func parseKey(content []byte, authority *x509.Certificate) crypto.Signer {
	block, _ := pem.Decode(content)
	if block == nil {
		return nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(authority.PublicKey) {
		return nil
	}
	return key
}

// Data returns the Secret's data for a set.
func (s *Set) Data() (map[string][]byte, error) {
	data := map[string][]byte{KeyAuthorities: s.Bundle()}
	for key, private := range map[string]any{KeyAuthorityKey: s.Key, KeyServingKey: s.Serving.PrivateKey} {
		der, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			return nil, err
		}
		data[key] = pem.EncodeToMemory(&pem.Block{Type: pemPrivateKey, Bytes: der})
	}
	var chain bytes.Buffer
	for _, der := range s.Serving.Certificate {
		_ = pem.Encode(&chain, &pem.Block{Type: pemCertificate, Bytes: der}) // a Buffer takes everything
	}
	data[KeyServing] = chain.Bytes()
	return data, nil
}

// Bundle returns the authorities as a caBundle.
func (s *Set) Bundle() []byte {
	var bundle bytes.Buffer
	for _, authority := range s.Authorities {
		_ = pem.Encode(&bundle, &pem.Block{Type: pemCertificate, Bytes: authority.Raw})
	}
	return bundle.Bytes()
}

// TrustedBy tells whether an API server with this caBundle takes the serving
// certificate for the first of names.
func TrustedBy(bundle []byte, serving *tls.Certificate, names Names, now time.Time) bool {
	if serving == nil {
		return false
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	return verifies(serving, roots, names.Serving[:1], now)
}

// verifies tells whether the certificate is good at this time for all the names.
func verifies(serving *tls.Certificate, roots *x509.CertPool, names []string, now time.Time) bool {
	intermediates := x509.NewCertPool()
	for _, der := range serving.Certificate[1:] {
		if cert, err := x509.ParseCertificate(der); err == nil {
			intermediates.AddCert(cert)
		}
	}
	for _, name := range names {
		_, err := serving.Leaf.Verify(x509.VerifyOptions{
			DNSName: name, Roots: roots, Intermediates: intermediates, CurrentTime: now,
			KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		})
		if err != nil {
			return false
		}
	}
	return true
}

func pool(authorities []*x509.Certificate) *x509.CertPool {
	roots := x509.NewCertPool()
	for _, authority := range authorities {
		roots.AddCert(authority)
	}
	return roots
}

// Holds tells whether a caBundle has the certificate in it.
func Holds(bundle []byte, authority *x509.Certificate) bool {
	for _, cert := range parseAuthorities(bundle) {
		if cert.Equal(authority) {
			return true
		}
	}
	return false
}
