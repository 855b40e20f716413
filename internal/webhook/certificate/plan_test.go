package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"maps"
	"testing"
	"time"
)

var (
	start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	names = Names{Authority: "ours", Serving: []string{"server.ns.svc", "server.ns.svc.cluster.local", "127.0.0.1"}}
)

const day = 24 * time.Hour

// at returns the input of a set that was made at start.
func at(t *testing.T, set Set, after time.Duration) Input {
	t.Helper()
	return Input{Set: set, Names: names, Periods: DefaultPeriods(), Now: start.Add(after)}
}

func do(t *testing.T, action Action, in Input) Set {
	t.Helper()
	set, err := Apply(action, in)
	if err != nil {
		t.Fatal(err)
	}
	return reread(t, set)
}

// reread returns what somebody reads from the Secret that this one writes.
func reread(t *testing.T, set Set) Set {
	t.Helper()
	data, err := set.Data()
	if err != nil {
		t.Fatal(err)
	}
	return Parse(data)
}

func fresh(t *testing.T) Set { return do(t, Restart, at(t, Set{}, 0)) }

func TestPlan(t *testing.T) {
	set := fresh(t)
	announced := do(t, Announce, at(t, set, 245*day))
	switched := do(t, Renew, at(t, announced, 245*day+time.Minute))
	foreign := do(t, Restart, Input{Names: Names{Authority: "theirs", Serving: []string{"other.ns.svc"}}, Periods: DefaultPeriods(), Now: start})
	keyless := set
	keyless.Key = nil
	renamed := do(t, Restart, Input{Names: Names{Authority: "ours", Serving: []string{"former.ns.svc"}}, Periods: DefaultPeriods(), Now: start})

	for name, test := range map[string]struct {
		set     Set
		after   time.Duration
		trusted time.Duration // since when the newest authority is, after start; 0: it is not
		want    Step
	}{
		"nothing is there":                     {Set{}, 0, 0, Step{Action: Restart}},
		"a new set":                            {set, time.Hour, 0, Step{Keep, start.Add(60 * day)}},
		"a minute before the renewal":          {set, 60*day - time.Minute, 0, Step{Keep, start.Add(60 * day)}},
		"30 days before the end":               {set, 60 * day, 0, Step{Action: Renew}},
		"a server that slept for long":         {set, 100 * day, 0, Step{Action: Renew}},
		"a server that slept for two years":    {set, 730 * day, 0, Step{Action: Restart}},
		"an authority that goes to its end":    {do(t, Renew, at(t, set, 240*day)), 245 * day, 0, Step{Action: Announce}},
		"announced, not yet in the caBundle":   {do(t, Announce, at(t, do(t, Renew, at(t, set, 240*day)), 245*day)), 246 * day, 0, Step{Action: Keep}},
		"announced, in the caBundle":           {do(t, Announce, at(t, do(t, Renew, at(t, set, 240*day)), 245*day)), 246 * day, 246*day - 59*time.Second, Step{Keep, start.Add(246*day + time.Second)}},
		"announced, in the caBundle for long":  {do(t, Announce, at(t, do(t, Renew, at(t, set, 240*day)), 245*day)), 246 * day, 246*day - time.Minute, Step{Action: Renew}},
		"announced, and the certificate ended": {announced, 246 * day, 0, Step{Action: Renew}},
		"switched":                             {switched, 245*day + 2*time.Minute, 0, Step{Keep, start.Add(245*day + 61*time.Minute)}},
		"switched for long":                    {switched, 245*day + 61*time.Minute, 0, Step{Action: Retire}},
		"another installation's":               {foreign, time.Hour, 0, Step{Action: Restart}},
		"an authority without its key":         {keyless, time.Hour, 0, Step{Action: Announce}},
		"another name of the Service":          {renamed, time.Hour, 0, Step{Action: Renew}},
		"a clock that went back":               {set, -2 * time.Hour, 0, Step{Action: Restart}},
	} {
		t.Run(name, func(t *testing.T) {
			in := at(t, test.set, test.after)
			if test.trusted != 0 {
				in.TrustedSince = start.Add(test.trusted)
			}
			if got := Plan(in); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// TestNothingIsAPanic reads Secrets that anything may have been done to.
func TestNothingIsAPanic(t *testing.T) {
	set := fresh(t)
	good, err := set.Data()
	if err != nil {
		t.Fatal(err)
	}
	other := fresh(t)
	another, err := other.Data()
	if err != nil {
		t.Fatal(err)
	}
	for key := range good {
		for name, value := range map[string][]byte{
			"missing": nil, "garbage": []byte("garbage"), "cut": good[key][:len(good[key])/2],
			"another set's": another[key], "a certificate": good[KeyServing], "a key": good[KeyServingKey],
		} {
			data := maps.Clone(good)
			data[key] = value
			in := at(t, Parse(data), time.Hour)
			for range 3 {
				step := Plan(in)
				if step.Action == Keep {
					break
				}
				in.Set = do(t, step.Action, in)
				in.TrustedSince = start
			}
			if !in.Set.Usable(names, in.Now) || Plan(in).Action != Keep {
				t.Errorf("%s %s: not repaired: %v", key, name, Plan(in))
			}
		}
	}
}

func TestAForeignKeyIsNoKey(t *testing.T) {
	set := fresh(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set.Key = key
	if got := reread(t, set); got.Key != nil || Plan(at(t, got, 0)).Action != Announce {
		t.Errorf("somebody else's key would sign: %v", Plan(at(t, got, 0)))
	}
}

func TestRetireLeavesTheNewest(t *testing.T) {
	set := do(t, Renew, at(t, do(t, Announce, at(t, fresh(t), day)), day))
	if len(set.Authorities) != 2 || !Holds(set.Bundle(), set.Authorities[1]) {
		t.Fatalf("%d authorities are trusted during a rotation, want 2", len(set.Authorities))
	}
	former := set.Authorities[1]
	set = do(t, Retire, at(t, set, 2*day))
	if len(set.Authorities) != 1 || Holds(set.Bundle(), former) || !set.Usable(names, start.Add(2*day)) {
		t.Errorf("%d authorities after the former one's retirement", len(set.Authorities))
	}
}
