package registry

import (
	"net/http"
	"slices"
	"sync/atomic"
)

// ruleSet is the rules that are in force at one time.
type ruleSet struct {
	rules []Rule
	// met counts, for each rule, the requests that have met its fault.
	met []atomic.Int64
	// replaced is closed when other rules are in force.
	replaced chan struct{}
}

func newRuleSet(rules []Rule) *ruleSet {
	return &ruleSet{rules: rules, met: make([]atomic.Int64, len(rules)), replaced: make(chan struct{})}
}

// verdict is the rule that counts for a request; the zero rule, which changes
// nothing, when none matches.
type verdict struct {
	Rule
	met *atomic.Int64
}

// judge returns the first rule that matches the request: only pulls have one.
func (s *ruleSet) judge(request *http.Request) verdict {
	repository, kind := target(request.URL.Path)
	if repository == "" || (request.Method != http.MethodGet && request.Method != http.MethodHead) {
		return verdict{}
	}
	index := slices.IndexFunc(s.rules, func(rule Rule) bool { return rule.matches(repository, kind) })
	if index < 0 {
		return verdict{}
	}
	return verdict{s.rules[index], &s.met[index]}
}

// meets tells whether one more request meets the rule's fault. It is asked when
// the fault is about to happen, so that Times counts none that would not have
// noticed, such as a blob that ends before it is truncated.
func (v verdict) meets() bool { return v.Times == 0 || v.met.Add(1) <= v.Times }
