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

// Rule changes how pulls from matching repositories are answered. The first
// rule that matches a request is the only one that counts.
type Rule struct {
	// Repository is a pattern as in path.Match, such as "team-*/app", or a
	// name that also stands for everything below it: "team" matches
	// "team/app". "*" and "" match every repository.
	Repository string `json:"repository"`
	// BytesPerSecond slows each connection down; 0 does not.
	BytesPerSecond int64 `json:"bytesPerSecond,omitempty"`
	// User and Password are demanded by HTTP Basic authentication.
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
	// Status is answered instead of the content, with RetryAfter in seconds.
	Status     int `json:"status,omitempty"`
	RetryAfter int `json:"retryAfter,omitempty"`
	// Delay passes before the answer.
	Delay Duration `json:"delay,omitempty"`
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
	if _, err := path.Match(r.Repository, ""); err != nil {
		return fmt.Errorf("repository %q: %w", r.Repository, err)
	}
	if r.BytesPerSecond < 0 || r.RetryAfter < 0 || r.Delay < 0 {
		return fmt.Errorf("repository %q: numbers must not be negative", r.Repository)
	}
	if r.Status != 0 && (r.Status < 200 || r.Status > 599) {
		return fmt.Errorf("repository %q: status %d is not an HTTP status", r.Repository, r.Status)
	}
	return nil
}

// matches tells whether the rule is for the repository.
func (r Rule) matches(repository string) bool {
	if r.Repository == "" || r.Repository == "*" {
		return true
	}
	if matched, err := path.Match(r.Repository, repository); err == nil && matched {
		return true
	}
	return strings.HasPrefix(repository, strings.TrimSuffix(r.Repository, "/")+"/")
}

// firstMatch returns the rule that counts for the repository; the zero rule,
// which changes nothing, when none matches.
func firstMatch(rules []Rule, repository string) Rule {
	index := slices.IndexFunc(rules, func(rule Rule) bool { return rule.matches(repository) })
	if index < 0 {
		return Rule{}
	}
	return rules[index]
}

// repositoryOf returns the repository that a path of the registry's API is
// about, "" for those of the registry as a whole.
func repositoryOf(urlPath string) string {
	rest, found := strings.CutPrefix(urlPath, "/v2/")
	if !found {
		return ""
	}
	for _, kind := range []string{"/manifests/", "/blobs/", "/tags/", "/referrers/"} {
		if index := strings.LastIndex(rest, kind); index >= 0 {
			return rest[:index]
		}
	}
	return ""
}
