package release

// State is how a release stands to what is wanted.
type State string

const (
	// Absent means that there is no release.
	Absent State = "Absent"
	// InSync means that what is deployed is what is wanted.
	InSync State = "InSync"
	// OutOfSync means that something else is wanted than what is deployed.
	OutOfSync State = "OutOfSync"
	// Drifted means that what is wanted was deployed, and objects were deleted or
	// edited since.
	Drifted State = "Drifted"
	// Failed means that the last operation did not succeed.
	Failed State = "Failed"
	// Pending means that the last operation did not end.
	Pending State = "Pending"
	// Foreign means that somebody else has made a release of this name.
	Foreign State = "Foreign"
	// Corrupt means that a record of the release cannot be read.
	Corrupt State = "Corrupt"
)

// State returns how the release stands.
func (in *Input) State() State {
	last := in.History.Last()
	switch {
	case len(in.History.Unreadable) > 0:
		return corrupt(in.History.Unreadable)
	case last == nil || last.Status == StatusUninstalled:
		return Absent
	case !in.History.Ours():
		return Foreign
	case last.unfinished():
		return Pending
	case last.Status == StatusFailed:
		return Failed
	case last.Status != StatusDeployed || in.Desired != "" && in.Desired != last.Manifest:
		return OutOfSync
	case in.Damaged:
		return Drifted
	}
	return InSync
}

// corrupt does not call a record ours that somebody else has written: Helm may
// have a newer format.
func corrupt(unreadable []Unreadable) State {
	for _, u := range unreadable {
		if !u.Ours {
			return Foreign
		}
	}
	return Corrupt
}
