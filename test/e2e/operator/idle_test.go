//go:build e2e

package operator

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// How long an operator is left alone, and how long it is made to look again and
// again meanwhile. In CI the tutorial takes place in the second of them.
const (
	leftAlone   = 10 * time.Minute
	nudged      = 2 * time.Minute
	nudgePeriod = 2 * time.Second
	// settling is how long there is nothing to do for anybody, at least.
	settling = 40 * time.Second
)

// When nothing happens the operator upgrades nothing and writes its lease only,
// also when ImageCaches come and go. Before and after that, installing and
// removing as the documentation says.
func TestIdle(t *testing.T) {
	w := newWorld(t, quiet, "an operator is installed and left alone, then nudged every 2 s while ImageCaches come and go; everything is removed",
		"no release, and no write of the operator but its lease; nothing is left")
	w.nothing()
	w.installs("deploy-using-operator")
	w.restricted()
	w.ready()
	if full() {
		w.idles("left alone", leftAlone, func() { time.Sleep(leftAlone) })
	}
	w.idles("nudged, with the tutorial", nudged, func() {
		ends := time.Now().Add(nudged)
		ctx, cancel := context.WithCancel(w.ctx)
		defer cancel()
		counted := make(chan int, 1)
		go func() { counted <- w.nudge(ctx, nudgePeriod) }()
		w.tutorial(3)
		w.refuses()
		w.settled(max(time.Until(ends), settling))
		cancel()
		times := <-counted
		w.saw("nudged %d times", times)
		if times < int(nudged/nudgePeriod)/4 {
			w.Errorf("nudged %d times only", times)
		}
		w.forgetCache()
	})
	w.removes()
}

// idles checks that the operator writes nothing in that time, in which no pod of
// ours may have come or gone: then it is done again.
func (w *world) idles(what string, lasts time.Duration, pass func()) {
	w.Helper()
	for range 3 {
		records, began := w.statuses(), time.Now()
		faltered := w.falters()
		pass()
		ended := time.Now()
		if times := faltered(); times > 0 {
			w.saw("%s: a Deployment of ours lost or regained pods %d times, so this does not count", what, times)
			w.ready()
			continue
		}
		time.Sleep(time.Second) // the log is written a moment later
		w.rested(what, began, ended, lasts)
		if now := w.statuses(); !slices.Equal(records, now) {
			w.Errorf("records of the release were %v and are %v", records, now)
		}
		return
	}
	w.Error("there was no rest on this machine")
}

func (w *world) rested(what string, began, ended time.Time, lasts time.Duration) {
	w.Helper()
	ever, _ := w.writes(operatorNamespace, time.Time{}, began)
	others, leases := w.writes(operatorNamespace, began, ended)
	w.saw("%s for %.0f s: %d writes by the operator but %d renewals of its lease; %d writes before that; records of the release %v",
		what, ended.Sub(began).Seconds(), len(others), leases, len(ever), w.statuses())
	for _, e := range others {
		w.Errorf("an idle operator wrote: %s", e)
	}
	if least := int(lasts / (10 * time.Second)); leases < least || len(ever) == 0 {
		w.Errorf("the log has %d writes before and %d renewals, want at least %d: it does not tell everything", len(ever), leases, least)
	}
}

// settled waits until the time is over, and checks that in the last three
// quarters of it neither the controller nor the webhook servers wrote anything.
func (w *world) settled(rest time.Duration) {
	w.Helper()
	time.Sleep(rest / 4)
	began := time.Now()
	time.Sleep(rest - rest/4)
	ended := time.Now()
	others, leases := w.writes(lab.Namespace, began, ended)
	w.saw("the last %.0f s of it: %d writes by controller and webhook servers but %d renewals of leases", ended.Sub(began).Seconds(), len(others), leases)
	for _, e := range others {
		w.Errorf("an idle controller or webhook server wrote: %s", e)
	}
	if leases == 0 {
		w.Error("the log does not tell of the controller's lease")
	}
}
