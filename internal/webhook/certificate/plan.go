package certificate

import "time"

// Action is what is to be done with a set.
type Action string

// Actions. Each leaves a set with which the next one can go on, whoever does it.
const (
	// Keep leaves everything as it is.
	Keep Action = "Keep"
	// Announce adds a new authority. The server goes on with its certificate.
	Announce Action = "Announce"
	// Renew issues a serving certificate of the newest authority.
	Renew Action = "Renew"
	// Retire drops former authorities.
	Retire Action = "Retire"
	// Restart makes everything anew, as nothing that is there can be used.
	Restart Action = "StartAnew"
)

// Step is what to do now, and when to look again.
type Step struct {
	Action Action
	// At is when something is due; zero when nothing is.
	At time.Time
}

// Input is what a step is planned from.
type Input struct {
	Set     Set
	Names   Names
	Periods Periods
	// TrustedSince is since when the newest authority has been seen in the caBundle;
	// zero when it is not there.
	TrustedSince time.Time
	Now          time.Time
}

// Plan returns the next step of a rotation.
func Plan(in Input) Step {
	switch {
	case !in.Set.Usable(in.Names, in.Now) && in.canSign():
		return Step{Action: Renew}
	case !in.Set.Usable(in.Names, in.Now):
		return Step{Action: Restart}
	case !in.canSign():
		return Step{Action: Announce}
	case !in.servesNewest():
		return in.planSwitch()
	case !in.Now.Before(in.renewal()):
		return Step{Action: Renew}
	case len(in.Set.Authorities) > 1 && !in.Now.Before(in.retirement()):
		return Step{Action: Retire}
	}
	return Step{Action: Keep, At: in.nextTime()}
}

// Usable tells whether the set can serve: with a certificate that its own
// authorities vouch for, for all names, at this time.
func (s *Set) Usable(names Names, now time.Time) bool {
	return s.Serving != nil && verifies(s.Serving, pool(s.Authorities), names.Serving, now)
}

// canSign tells whether there is an authority of ours that is good for longer.
// That of another installation is not ours, even with its key.
func (in *Input) canSign() bool {
	if in.Set.Key == nil {
		return false
	}
	newest := in.Set.Authorities[0]
	return newest.Subject.CommonName == in.Names.Authority && !in.Now.Before(newest.NotBefore) &&
		in.Now.Before(newest.NotAfter.Add(-in.Periods.AuthorityRenewal))
}

// servesNewest tells whether the serving certificate is the newest authority's.
func (in *Input) servesNewest() bool {
	return verifies(in.Set.Serving, pool(in.Set.Authorities[:1]), in.Names.Serving, in.Now)
}

// planSwitch waits until every API server trusts the newest authority.
func (in *Input) planSwitch() Step {
	if in.TrustedSince.IsZero() {
		return Step{Action: Keep} // the caBundle changes next, which somebody notices
	}
	at := in.TrustedSince.Add(in.Periods.Propagation)
	if in.Now.Before(at) {
		return Step{Action: Keep, At: at}
	}
	return Step{Action: Renew}
}

func (in *Input) renewal() time.Time {
	return in.Set.Serving.Leaf.NotAfter.Add(-in.Periods.ServingRenewal)
}

func (in *Input) retirement() time.Time {
	return in.Set.Serving.Leaf.NotBefore.Add(backdate).Add(in.Periods.Retirement)
}

func (in *Input) nextTime() time.Time {
	next := in.Set.Authorities[0].NotAfter.Add(-in.Periods.AuthorityRenewal)
	if at := in.renewal(); at.Before(next) {
		next = at
	}
	if at := in.retirement(); len(in.Set.Authorities) > 1 && at.Before(next) {
		next = at
	}
	return next
}
