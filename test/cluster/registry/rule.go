package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// What a rule can be restricted to, and a request can be for.
const (
	Manifests = "manifests"
	Blobs     = "blobs"
)

// Rule changes how pulls from matching repositories are answered. The first
// rule that matches a request is the only one that counts.
type Rule struct {
	// Repository is a pattern as in path.Match, such as "team-*/app", or a
	// name that also stands for everything below it: "team" matches
	// "team/app". "*" and "" match every repository.
	Repository string `json:"repository"`
	// Kind is Manifests or Blobs for a rule about those only.
	Kind string `json:"kind,omitempty"`
	// BytesPerSecond slows each connection down; 0 does not.
	BytesPerSecond int64 `json:"bytesPerSecond,omitempty"`
	// User and Password are demanded by HTTP Basic authentication.
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
	// Delay passes before the answer.
	Delay Duration `json:"delay,omitempty"`

	// What follows are faults, of which a rule has one at most.

	// Status is answered instead of the content, with RetryAfter in seconds.
	Status     int `json:"status,omitempty"`
	RetryAfter int `json:"retryAfter,omitempty"`
	// Redirect answers 307 with the address that was asked for, for ever.
	Redirect bool `json:"redirect,omitempty"`
	// StallAfterBytes stops sending a blob there, counted from its beginning
	// whatever range of it was asked for, and keeps the connection open. It
	// goes on when another rule counts, and ends after stallLimit.
	StallAfterBytes int64 `json:"stallAfterBytes,omitempty"`
	// TruncateAfterBytes closes the connection there, although Content-Length
	// has promised more. Blobs that are not longer come as a whole.
	TruncateAfterBytes int64 `json:"truncateAfterBytes,omitempty"`
	// CorruptAfterBytes changes bytes of a blob from there on, but not their
	// number. Blobs that are not longer come as they are.
	CorruptAfterBytes int64 `json:"corruptAfterBytes,omitempty"`
	// Times is how many requests meet the fault; those after them do not. 0 is
	// all of them.
	Times int64 `json:"times,omitempty"`
}

// Duration is a time.Duration that is written as in "1m30s" in JSON.
type Duration time.Duration

// MarshalJSON writes the duration as a string.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads a string that time.ParseDuration understands.
func (d *Duration) UnmarshalJSON(content []byte) error {
	var text string
	if err := json.Unmarshal(content, &text); err != nil {
		return errors.New(`a duration must be a string such as "2s"`)
	}
	parsed, err := time.ParseDuration(text)
	*d = Duration(parsed)
	return err
}

// validate says what is wrong with the rule.
func (r Rule) validate() error {
	if err := r.problem(); err != nil {
		return fmt.Errorf("repository %q: %w", r.Repository, err)
	}
	return nil
}

func (r Rule) problem() error {
	if _, err := path.Match(r.Repository, ""); err != nil {
		return err
	}
	if min(r.BytesPerSecond, int64(r.RetryAfter), int64(r.Delay), r.StallAfterBytes, r.TruncateAfterBytes, r.CorruptAfterBytes, r.Times) < 0 {
		return errors.New("numbers must not be negative")
	}
	if r.Status != 0 && (r.Status < 200 || r.Status > 599) {
		return fmt.Errorf("status %d is not an HTTP status", r.Status)
	}
	if !slices.Contains([]string{"", Manifests, Blobs}, r.Kind) {
		return fmt.Errorf("kind %q: want %s, %s or nothing for both", r.Kind, Manifests, Blobs)
	}
	return r.faultProblem()
}

// faultProblem refuses rules that could never do what they say.
func (r Rule) faultProblem() error {
	faults := r.faults()
	switch {
	case len(faults) > 1:
		return fmt.Errorf("a rule has one fault at most, not %s", strings.Join(faults, " and "))
	case len(faults) == 0 && r.Times > 0:
		return errors.New("times says how many requests meet the fault, and there is none")
	case r.ofBody() && r.Kind == Manifests:
		return fmt.Errorf("%s is for blobs only", faults[0])
	}
	return nil
}

// faults returns the names of the rule's faults, as the log has them.
func (r Rule) faults() []string {
	var names []string
	for name, given := range map[string]bool{
		faultStatus:   r.Status != 0,
		faultRedirect: r.Redirect,
		faultStall:    r.StallAfterBytes > 0,
		faultTruncate: r.TruncateAfterBytes > 0,
		faultCorrupt:  r.CorruptAfterBytes > 0,
	} {
		if given {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// ofBody tells whether the rule's fault is one of a blob's content.
func (r Rule) ofBody() bool {
	return r.bodyFaultAt() > 0
}

// bodyFaultAt is where in a blob the rule's fault is, 0 for none: a rule has one
// of the three at most.
func (r Rule) bodyFaultAt() int64 {
	return r.StallAfterBytes + r.TruncateAfterBytes + r.CorruptAfterBytes
}

// matches tells whether the rule is for such content of the repository.
func (r Rule) matches(repository, kind string) bool {
	if r.Kind != "" && r.Kind != kind {
		return false
	}
	if r.Repository == "" || r.Repository == "*" {
		return true
	}
	if matched, err := path.Match(r.Repository, repository); err == nil && matched {
		return true
	}
	return strings.HasPrefix(repository, strings.TrimSuffix(r.Repository, "/")+"/")
}

// target returns what a path of the registry's API is about: a repository, "" for
// the registry as a whole, and which kind of its content.
func target(urlPath string) (repository, kind string) {
	rest, found := strings.CutPrefix(urlPath, "/v2/")
	if !found {
		return "", ""
	}
	for _, kind := range []string{Manifests, Blobs, "tags", "referrers"} {
		if index := strings.LastIndex(rest, "/"+kind+"/"); index >= 0 {
			return rest[:index], kind
		}
	}
	return "", ""
}
