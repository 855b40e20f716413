package release

import "time"

// Action is what to do next.
type Action string

const (
	// Rest does nothing.
	Rest Action = "Rest"
	// Wait does nothing yet.
	Wait Action = "Wait"
	// Install makes the first revision.
	Install Action = "Install"
	// Upgrade makes a revision of what is wanted now.
	Upgrade Action = "Upgrade"
	// Repair restores objects of the deployed revision.
	Repair Action = "Repair"
	// RollBack restores an earlier revision after an upgrade that failed.
	RollBack Action = "RollBack"
	// Unlock ends an operation that nobody will finish.
	Unlock Action = "Unlock"
	// Adopt makes the release of somebody else ours.
	Adopt Action = "Adopt"
	// Refuse leaves the release of somebody else alone.
	Refuse Action = "Refuse"
	// Discard deletes records that cannot be read.
	Discard Action = "Discard"
	// Uninstall takes everything down.
	Uninstall Action = "Uninstall"
)

// Step is an action and what it is about.
type Step struct {
	Action Action
	// Revision is the one to unlock or to roll back to.
	Revision int
	// After is how long to wait.
	After time.Duration
}

// Input is everything that the next action depends on.
type Input struct {
	Now time.Time
	// Deleting tells whether the KubeFledged is to go.
	Deleting bool
	// Adopt tells whether the user lets us take over a release of somebody else.
	Adopt   bool
	History History
	// Desired is the manifest that is wanted, empty when the spec cannot be
	// rendered: then what is deployed stays, and is kept whole.
	Desired string
	// Damaged tells whether objects of the deployed revision are missing or
	// edited, or some of an older one are left.
	Damaged bool
}

const (
	// foreignPatience is how long somebody else's operation on our release may
	// take; Helm's own default for waiting is as long.
	foreignPatience = 5 * time.Minute

	firstRetry = 10 * time.Second
	lastRetry  = 5 * time.Minute
)

// Next returns what to do. Only one operator works at a time (leader election)
// and does one thing at a time, so an operation of ours that is pending here
// has nobody who would finish it.
func Next(in Input) Step {
	if in.Deleting {
		return Step{Action: Uninstall}
	}
	switch in.State() {
	case Absent:
		return in.install()
	case Foreign:
		if in.Adopt && len(in.History.Unreadable) == 0 {
			return Step{Action: Adopt}
		}
		return Step{Action: Refuse}
	case Corrupt:
		return Step{Action: Discard}
	case Pending:
		return in.unlock()
	case Failed:
		return in.recover()
	case OutOfSync:
		return in.upgrade()
	case Drifted:
		return Step{Action: Repair}
	}
	return Step{Action: Rest}
}

func (in *Input) install() Step {
	if in.Desired == "" {
		return Step{Action: Rest}
	}
	return Step{Action: Install}
}

func (in *Input) unlock() Step {
	last := in.History.Last()
	if wait := last.At.Add(foreignPatience).Sub(in.Now); !last.Ours && wait > 0 {
		return Step{Action: Wait, After: wait}
	}
	return Step{Action: Unlock, Revision: last.Revision}
}

// recover restores what ran before, if anything did. That also is the way on
// from an upgrade that was interrupted: Helm compares with the last deployed
// revision, and would leave behind fields that only the interrupted one had.
func (in *Input) recover() Step {
	deployed := in.History.Deployed()
	if deployed == nil {
		return in.upgrade()
	}
	if failed, at := in.History.failedRollbacks(); failed > 0 {
		if refused, _ := in.History.refusals(in.Desired); in.Desired != "" && refused == 0 {
			return Step{Action: Upgrade}
		}
		if wait := at.Add(retryAfter(failed)).Sub(in.Now); wait > 0 {
			return Step{Action: Wait, After: wait}
		}
	}
	return Step{Action: RollBack, Revision: deployed.Revision}
}

// upgrade tries what was refused again after a while: the cause may lie in the
// cluster. Meanwhile what is deployed is kept whole.
func (in *Input) upgrade() Step {
	if in.Desired == "" {
		return Step{Action: Rest}
	}
	refused, at := in.History.refusals(in.Desired)
	wait := at.Add(retryAfter(refused)).Sub(in.Now)
	switch {
	case refused == 0 || wait <= 0:
		return Step{Action: Upgrade}
	case in.Damaged:
		return Step{Action: Repair, After: wait}
	}
	return Step{Action: Wait, After: wait}
}

// retryAfter doubles with each failure: 10 s, 20 s, 40 s, up to 5 minutes.
func retryAfter(failures int) time.Duration {
	wait := firstRetry
	for range failures - 1 {
		wait = min(2*wait, lastRetry)
	}
	return wait
}
