package certificate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"time"
)

// backdate lets API servers whose clocks are behind take a new certificate.
const backdate = time.Hour

// Apply returns the set after an action.
func Apply(action Action, in Input) (Set, error) {
	switch action {
	case Announce:
		return announce(in, in.Set)
	case Renew:
		return renew(in, in.Set)
	case Retire:
		set := in.Set
		set.Authorities = set.Authorities[:1]
		return set, nil
	case Restart:
		set, err := announce(in, Set{})
		if err != nil {
			return Set{}, err
		}
		return renew(in, set)
	default:
		return in.Set, nil
	}
}

// announce adds a new authority before the others. Only its key is kept, so
// nobody can sign for the former ones any more.
func announce(in Input, set Set) (Set, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Set{}, fmt.Errorf("make a key: %w", err)
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: in.Names.Authority},
		NotBefore: in.Now.Add(-backdate), NotAfter: in.Now.Add(in.Periods.Authority),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IsCA:     true, BasicConstraintsValid: true, MaxPathLenZero: true,
	}
	authority, err := sign(template, template, key.Public(), key)
	if err != nil {
		return Set{}, fmt.Errorf("make an authority: %w", err)
	}
	former := set.Authorities
	set.Authorities = []*x509.Certificate{authority}
	for _, cert := range former {
		if in.Now.Before(cert.NotAfter) {
			set.Authorities = append(set.Authorities, cert)
		}
	}
	set.Key = key
	return set, nil
}

// renew issues a serving certificate of the newest authority.
func renew(in Input, set Set) (Set, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Set{}, fmt.Errorf("make a key: %w", err)
	}
	authority := set.Authorities[0]
	end := in.Now.Add(in.Periods.Serving)
	if authority.NotAfter.Before(end) {
		end = authority.NotAfter
	}
	template := &x509.Certificate{
		// A common name has at most 64 characters, a name of ours may have more; the
		// API server reads the alternative names only.
		Subject:   pkix.Name{CommonName: "kubefledged-webhook-server"},
		NotBefore: in.Now.Add(-backdate), NotAfter: end,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range in.Names.Serving {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	leaf, err := sign(template, authority, key.Public(), set.Key)
	if err != nil {
		return Set{}, fmt.Errorf("issue a serving certificate: %w", err)
	}
	set.Serving = &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
	return set, nil
}

func sign(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
