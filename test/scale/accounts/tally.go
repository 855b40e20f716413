package accounts

import (
	"maps"
	"slices"
)

// Tally counts requests.
type Tally struct {
	// Own and Provoked are writes, by "verb resource" and, for those provoked,
	// "user verb resource".
	Own      map[string]int `json:"own"`
	Provoked map[string]int `json:"provoked"`
	// Apart are writes of the rig and the heartbeats of nodes.
	Apart int `json:"apart"`
	// Reads are the controller's requests that change nothing, by "verb resource".
	Reads map[string]int `json:"reads"`
	// Refused are the writes among all that were answered with an error.
	Refused int `json:"refused"`
}

// Count tallies requests. The lease of the leader election is left out: it is
// renewed whether there is work or not.
func Count(requests []Request) Tally {
	t := Tally{Own: map[string]int{}, Provoked: map[string]int{}, Reads: map[string]int{}}
	for i := range requests {
		t.add(&requests[i])
	}
	return t
}

func (t *Tally) add(r *Request) {
	what := r.Verb + " " + r.Resource
	switch {
	case r.Resource == "leases":
	case !r.Write():
		if r.Side() == Own {
			t.Reads[what]++
		}
	case r.Side() == Apart:
		t.Apart++
	default:
		if r.Code >= 400 {
			t.Refused++
		}
		if r.Side() == Own {
			t.Own[what]++
		} else {
			t.Provoked[short(r.User)+" "+what]++
		}
	}
}

// short is the last part of a user's name.
func short(user string) string {
	for i := len(user) - 1; i >= 0; i-- {
		if user[i] == ':' {
			return user[i+1:]
		}
	}
	return user
}

// Sum adds up counts.
func Sum(counts map[string]int) int {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum
}

// Writes are all writes, own and provoked.
func (t *Tally) Writes() int { return Sum(t.Own) + Sum(t.Provoked) }

// Largest returns the keys of counts, the largest first.
func Largest(counts map[string]int) []string {
	keys := slices.Sorted(maps.Keys(counts))
	slices.SortStableFunc(keys, func(a, b string) int { return counts[b] - counts[a] })
	return keys
}
