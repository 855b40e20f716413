package release

import (
	"testing"
	"time"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// record returns one of ours, begun an hour ago.
func record(revision int, status Status, manifest string, mods ...func(*Record)) Record {
	r := Record{Revision: revision, Status: status, Manifest: manifest, Ours: true, At: now.Add(-time.Hour)}
	for _, mod := range mods {
		mod(&r)
	}
	return r
}

func ago(d time.Duration) func(*Record) { return func(r *Record) { r.At = now.Add(-d) } }
func described(text string) func(*Record) {
	return func(r *Record) { r.Description = text }
}
func theirs(r *Record) { r.Ours = false }

func TestNext(t *testing.T) {
	const a, b = "manifest a", "manifest b"
	interrupted := described(Interrupted + "revision 2 was left pending-upgrade")
	for name, test := range map[string]struct {
		records    []Record
		unreadable []Unreadable
		desired    string
		damaged    bool
		adopt      bool
		deleting   bool
		state      State
		want       Step
	}{
		"nothing there":                    {desired: a, state: Absent, want: Step{Action: Install}},
		"nothing there, nothing to render": {state: Absent, want: Step{Action: Rest}},
		"uninstalled and kept":             {records: []Record{record(1, StatusUninstalled, a)}, desired: a, state: Absent, want: Step{Action: Install}},
		"as it should be":                  {records: []Record{record(1, StatusDeployed, a)}, desired: a, state: InSync, want: Step{Action: Rest}},
		"another spec":                     {records: []Record{record(1, StatusDeployed, a)}, desired: b, state: OutOfSync, want: Step{Action: Upgrade}},
		"another spec, and damaged":        {records: []Record{record(1, StatusDeployed, a)}, desired: b, damaged: true, state: OutOfSync, want: Step{Action: Upgrade}},
		"a spec that does not render":      {records: []Record{record(1, StatusDeployed, a)}, state: InSync, want: Step{Action: Rest}},
		"does not render, and damaged":     {records: []Record{record(1, StatusDeployed, a)}, damaged: true, state: Drifted, want: Step{Action: Repair}},
		"damaged":                          {records: []Record{record(1, StatusDeployed, a)}, desired: a, damaged: true, state: Drifted, want: Step{Action: Repair}},
		"the newest record is gone":        {records: []Record{record(1, StatusSuperseded, a)}, desired: a, state: OutOfSync, want: Step{Action: Upgrade}},
		"to be deleted":                    {records: []Record{record(1, StatusPendingInstall, a)}, deleting: true, state: Pending, want: Step{Action: Uninstall}},

		"left pending by us":                 {records: []Record{record(1, StatusPendingInstall, a, ago(0))}, desired: a, state: Pending, want: Step{Action: Unlock, Revision: 1}},
		"left uninstalling":                  {records: []Record{record(1, StatusUninstalling, a)}, desired: a, state: Pending, want: Step{Action: Unlock, Revision: 1}},
		"pending by somebody else":           {records: []Record{record(1, StatusDeployed, a), record(2, StatusPendingUpgrade, b, theirs, ago(time.Minute))}, desired: a, state: Pending, want: Step{Action: Wait, After: 4 * time.Minute}},
		"pending by somebody else, for long": {records: []Record{record(1, StatusDeployed, a), record(2, StatusPendingUpgrade, b, theirs)}, desired: a, state: Pending, want: Step{Action: Unlock, Revision: 2}},

		"install failed a moment ago":   {records: []Record{record(1, StatusFailed, a, ago(4*time.Second))}, desired: a, state: Failed, want: Step{Action: Wait, After: 6 * time.Second}},
		"install failed a while ago":    {records: []Record{record(1, StatusFailed, a)}, desired: a, state: Failed, want: Step{Action: Upgrade}},
		"install failed, another spec":  {records: []Record{record(1, StatusFailed, a, ago(0))}, desired: b, state: Failed, want: Step{Action: Upgrade}},
		"install interrupted":           {records: []Record{record(1, StatusFailed, a, ago(0), interrupted)}, desired: a, state: Failed, want: Step{Action: Upgrade}},
		"upgrade failed":                {records: []Record{record(1, StatusDeployed, a), record(2, StatusFailed, b)}, desired: b, state: Failed, want: Step{Action: RollBack, Revision: 1}},
		"upgrade failed, damaged":       {records: []Record{record(1, StatusDeployed, a), record(2, StatusFailed, b)}, desired: b, damaged: true, state: Failed, want: Step{Action: RollBack, Revision: 1}},
		"upgrade interrupted":           {records: []Record{record(1, StatusDeployed, a), record(2, StatusFailed, b, ago(0), interrupted)}, desired: b, state: Failed, want: Step{Action: RollBack, Revision: 1}},
		"rolled back a moment ago":      {records: []Record{record(1, StatusSuperseded, a), record(2, StatusFailed, b, ago(5*time.Second)), record(3, StatusDeployed, a)}, desired: b, state: OutOfSync, want: Step{Action: Wait, After: 5 * time.Second}},
		"rolled back, and damaged":      {records: []Record{record(1, StatusSuperseded, a), record(2, StatusFailed, b, ago(5*time.Second)), record(3, StatusDeployed, a)}, desired: b, damaged: true, state: OutOfSync, want: Step{Action: Repair, After: 5 * time.Second}},
		"rolled back a while ago":       {records: []Record{record(1, StatusSuperseded, a), record(2, StatusFailed, b), record(3, StatusDeployed, a)}, desired: b, state: OutOfSync, want: Step{Action: Upgrade}},
		"rolled back after being ended": {records: []Record{record(1, StatusSuperseded, a), record(2, StatusFailed, b, ago(0), interrupted), record(3, StatusDeployed, a)}, desired: b, state: OutOfSync, want: Step{Action: Upgrade}},
		"refused three times": {records: []Record{record(2, StatusFailed, b), record(3, StatusSuperseded, a), record(4, StatusFailed, b), record(5, StatusSuperseded, a),
			record(6, StatusFailed, b, ago(10*time.Second)), record(7, StatusDeployed, a)}, desired: b, state: OutOfSync, want: Step{Action: Wait, After: 30 * time.Second}},
		"the rollback failed a moment ago": {records: []Record{record(1, StatusDeployed, a), record(2, StatusSuperseded, b), record(3, StatusFailed, a, described(`Rollback "x" failed: no`), ago(time.Second))}, desired: a, state: Failed, want: Step{Action: Upgrade}},
		"the rollback failed a while ago":  {records: []Record{record(1, StatusDeployed, a), record(2, StatusFailed, b), record(3, StatusFailed, a, described(`Rollback "x" failed: no`))}, desired: b, state: Failed, want: Step{Action: RollBack, Revision: 1}},
		"the rollback failed just now":     {records: []Record{record(1, StatusDeployed, a), record(2, StatusFailed, b), record(3, StatusFailed, a, described(`Rollback "x" failed: no`), ago(time.Second))}, desired: b, state: Failed, want: Step{Action: Wait, After: 9 * time.Second}},

		"somebody else's":                 {records: []Record{record(1, StatusDeployed, a, theirs)}, desired: a, state: Foreign, want: Step{Action: Refuse}},
		"somebody else's, allowed":        {records: []Record{record(1, StatusDeployed, a, theirs)}, desired: a, adopt: true, state: Foreign, want: Step{Action: Adopt}},
		"ours, and helm used on it":       {records: []Record{record(1, StatusSuperseded, a), record(2, StatusDeployed, b, theirs)}, desired: a, state: OutOfSync, want: Step{Action: Upgrade}},
		"ours and unreadable":             {records: []Record{record(1, StatusDeployed, a)}, unreadable: []Unreadable{{Ours: true}}, desired: a, state: Corrupt, want: Step{Action: Discard}},
		"somebody else's unreadable":      {unreadable: []Unreadable{{}}, desired: a, state: Foreign, want: Step{Action: Refuse}},
		"theirs, unreadable, but allowed": {unreadable: []Unreadable{{}}, desired: a, adopt: true, state: Foreign, want: Step{Action: Refuse}},
	} {
		t.Run(name, func(t *testing.T) {
			in := Input{Now: now, Deleting: test.deleting, Adopt: test.adopt, Desired: test.desired, Damaged: test.damaged,
				History: History{Records: test.records, Unreadable: test.unreadable}}
			if got := in.State(); got != test.state {
				t.Errorf("state %s, want %s", got, test.state)
			}
			if got := Next(in); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestRetries(t *testing.T) {
	for failures, want := range map[int]time.Duration{1: 10 * time.Second, 2: 20 * time.Second, 4: 80 * time.Second, 6: 5 * time.Minute, 60: 5 * time.Minute} {
		if got := retryAfter(failures); got != want {
			t.Errorf("after %d failures %s, want %s", failures, got, want)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, test := range map[string]struct {
		records []Record
		want    int
	}{
		"nothing":              {},
		"refused":              {[]Record{record(1, StatusDeployed, "a"), record(2, StatusFailed, "b")}, 2},
		"refused, rolled back": {[]Record{record(1, StatusSuperseded, "a"), record(2, StatusFailed, "b"), record(3, StatusDeployed, "a")}, 2},
		"of another spec":      {[]Record{record(1, StatusDeployed, "a"), record(2, StatusFailed, "c")}, 0},
		"deployed since":       {[]Record{record(1, StatusFailed, "b"), record(2, StatusDeployed, "b")}, 0},
		"interrupted":          {[]Record{record(1, StatusFailed, "b", described(Interrupted))}, 0},
		"not restored":         {[]Record{record(1, StatusDeployed, "a"), record(2, StatusFailed, "a", described("Rollback failed"))}, 2},
	} {
		h := History{Records: test.records}
		got := 0
		if r := h.Refused("b"); r != nil {
			got = r.Revision
		}
		if got != test.want {
			t.Errorf("%s: revision %d, want %d", name, got, test.want)
		}
	}
}
