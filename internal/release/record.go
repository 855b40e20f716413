package release

import (
	"strings"
	"time"
)

// Status is Helm's word for a revision.
type Status string

// The words that Helm has.
const (
	StatusDeployed        Status = "deployed"
	StatusSuperseded      Status = "superseded"
	StatusFailed          Status = "failed"
	StatusUninstalled     Status = "uninstalled"
	StatusUninstalling    Status = "uninstalling"
	StatusPendingInstall  Status = "pending-install"
	StatusPendingUpgrade  Status = "pending-upgrade"
	StatusPendingRollback Status = "pending-rollback"
)

// Interrupted begins the description of a revision whose operation nobody
// finished, as opposed to one that the API server refused.
const Interrupted = "Interrupted: "

// rollback begins Helm's description of a rollback, failed or not.
const rollback = "Rollback "

// Record is one revision of a release, as stored in one Secret.
type Record struct {
	Revision     int
	Status       Status
	Manifest     string
	Chart        string
	ChartVersion string
	AppVersion   string
	Description  string
	// At is when the operation began.
	At time.Time
	// Ours tells whether an operator wrote it for the KubeFledged of this name.
	Ours bool
	// Secret is the name of the Secret.
	Secret string
}

// unfinished tells whether an operation on the record has begun and not ended.
func (r *Record) unfinished() bool {
	switch r.Status {
	case StatusPendingInstall, StatusPendingUpgrade, StatusPendingRollback, StatusUninstalling:
		return true
	}
	return false
}

// refused tells whether the API server refused the revision.
func (r *Record) refused() bool {
	return r.Status == StatusFailed && !strings.HasPrefix(r.Description, Interrupted)
}

// failedRollback tells whether the revision was to restore an earlier one and could not.
func (r *Record) failedRollback() bool {
	return r.refused() && strings.HasPrefix(r.Description, rollback)
}

// Unreadable is a Secret that should hold a revision and does not.
type Unreadable struct {
	Secret  string
	Problem string
	Ours    bool
}

// History is what is stored of a release.
type History struct {
	// Records are sorted by revision.
	Records    []Record
	Unreadable []Unreadable
}

// Last returns the newest revision, nil when there is none.
func (h *History) Last() *Record {
	if len(h.Records) == 0 {
		return nil
	}
	return &h.Records[len(h.Records)-1]
}

// Deployed returns the newest revision that is deployed, nil when there is none.
func (h *History) Deployed() *Record {
	for i := len(h.Records) - 1; i >= 0; i-- {
		if h.Records[i].Status == StatusDeployed {
			return &h.Records[i]
		}
	}
	return nil
}

// Ours tells whether any revision was written by an operator for this KubeFledged.
func (h *History) Ours() bool {
	for i := range h.Records {
		if h.Records[i].Ours {
			return true
		}
	}
	return false
}

// refusals counts how often a manifest was refused, and says when last.
func (h *History) refusals(manifest string) (count int, last time.Time) {
	for i := range h.Records {
		r := &h.Records[i]
		if r.refused() && !r.failedRollback() && r.Manifest == manifest {
			count, last = count+1, r.At
		}
	}
	return count, last
}

// failedRollbacks counts those that are the newest revisions, and says when last.
func (h *History) failedRollbacks() (count int, last time.Time) {
	for i := len(h.Records) - 1; i >= 0 && h.Records[i].failedRollback(); i-- {
		count++
	}
	if count > 0 {
		last = h.Last().At
	}
	return count, last
}

// Refused returns the newest revision of a manifest that the API server refused,
// nil when there is none or when the manifest was deployed since.
func (h *History) Refused(manifest string) *Record {
	for i := len(h.Records) - 1; i >= 0; i-- {
		r := &h.Records[i]
		switch {
		case r.failedRollback() && i == len(h.Records)-1:
			return r
		case r.failedRollback():
			continue
		case r.Manifest != manifest:
			continue
		case r.refused():
			return r
		default:
			return nil
		}
	}
	return nil
}
