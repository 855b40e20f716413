// Package certificate decides on the webhook server's certificates and issues
// them. What is trusted is always there before what relies on it: a new authority
// is announced in the caBundle first, signs once every API server has had time to
// read it, and only then goes the old one.
package certificate

import "time"

// Periods say how long certificates live and how long a rotation takes.
type Periods struct {
	// Authority is how long an authority lives; it is replaced when no more than
	// AuthorityRenewal of that is left.
	Authority, AuthorityRenewal time.Duration
	// Serving is how long a serving certificate lives; it is replaced when no more
	// than ServingRenewal of that is left, which must be less than AuthorityRenewal.
	Serving, ServingRenewal time.Duration
	// Propagation is how long every API server may take to read a caBundle.
	Propagation time.Duration
	// Retirement is how long a former authority stays trusted: longer than any
	// replica may take to read the Secret.
	Retirement time.Duration
}

// DefaultPeriods returns those of an installation. A server that is down for
// less than a month finds a certificate that is still good.
func DefaultPeriods() Periods {
	const day = 24 * time.Hour
	return Periods{
		Authority: 365 * day, AuthorityRenewal: 120 * day,
		Serving: 90 * day, ServingRenewal: 30 * day,
		Propagation: time.Minute, Retirement: time.Hour,
	}
}

// Names are whom certificates are made out to.
type Names struct {
	// Authority is the common name of our authorities, by which we know them.
	Authority string
	// Serving are the DNS names and IP addresses of the server; the first is the
	// one that the API server asks for.
	Serving []string
}
