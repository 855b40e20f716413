package plan

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

func TestVerification(t *testing.T) {
	c := cache("c", "x", "y")
	start := func() *life {
		r := record(cached("x"), cached("y")).claimed(1, c)
		r.Cached, r.Verified, r.BootID = 2, &metav1.Time{Time: now}, "boot-1"
		return newLife(t, r, c)
	}
	for name, tc := range map[string]struct {
		change func(*life)
		wait   time.Duration
		want   []string
	}{
		"nothing":            {func(*life) {}, 23 * time.Hour, nil},
		"a day later":        {func(*life) {}, 29 * time.Hour, []string{"verify", "x", "y"}},
		"switched off":       {func(l *life) { l.in.Options.VerifyInterval = 0 }, 290 * time.Hour, nil},
		"the list has one":   {func(l *life) { l.in.Node.Reported = map[string]Reported{"x": {}} }, 29 * time.Hour, []string{"verify", "y"}},
		"started anew":       {func(l *life) { l.in.Node.BootID = "boot-2" }, 0, []string{"verify", "x", "y"}},
		"the list lacks one": {func(l *life) { l.in.Node.Listed, l.in.Node.Reported = 7, map[string]Reported{"x": {}} }, 0, []string{"verify", "y"}},
		"the list is cut":    {func(l *life) { l.in.Record.ListLimit = new(int32(7)); l.in.Node.Listed = 7 }, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			l := start()
			l.t = t
			tc.change(l)
			l.wantJob(l.step(tc.wait), tc.want...)
		})
	}
	t.Run("disk pressure has ended", func(t *testing.T) {
		l := start()
		l.t = t
		l.in.Node.DiskPressure, l.in.Node.Unavailable = true, v1alpha2.WaitingDiskPressure
		l.wantJob(l.step(0))
		l.in.Node.DiskPressure, l.in.Node.Unavailable = false, ""
		l.wantJob(l.step(0), "verify", "x", "y")
	})
}

func TestVanishedImage(t *testing.T) {
	c := cache("c", "x", "y")
	r := record(cached("x"), cached("y")).claimed(1, c)
	r.BootID = "boot-1"
	l := newLife(t, r, c)
	for i := range 3 {
		l.in.Node.BootID += "again"
		check := l.step(0)
		l.wantJob(check, "verify", "x", "y")
		l.finish(check, absent, pulled)
		l.want(map[string]string{"x": "Missing ImageVanished", "y": "Cached "})
		if i > 0 {
			l.wantJob(l.step(time.Second))
		}
		pull := l.step(time.Minute)
		l.wantJob(pull, "pull", "x")
		l.finish(pull, pulled)
		if got := find(&l.in.Record.NodeCacheStatus, "x").Vanished; got != int32(i+1) {
			t.Errorf("vanished %d times, want %d", got, i+1)
		}
	}
	l.in.Node.BootID += "at last"
	check := l.step(0)
	l.finish(check, pulled, pulled)
	if got := find(&l.in.Record.NodeCacheStatus, "x").Vanished; got != 0 {
		t.Errorf("vanished %d times, want 0", got)
	}
}

// A list that was seen to leave out what is there starts no second verification.
func TestListLimitIsLearned(t *testing.T) {
	c := cache("c", "x")
	l := newLife(t, record(cached("x")).claimed(1, c), c)
	l.in.Node.Listed = 5
	check := l.step(0)
	l.wantJob(check, "verify", "x")
	l.finish(check, pulled)
	l.wantJob(l.step(time.Hour))
	if learned := l.in.Record.ListLimit; learned == nil || *learned != 5 {
		t.Fatalf("learned %v, want 5", learned)
	}
	// A longer one shows that the first was only late.
	l.in.Node.Listed = 6
	l.wantJob(l.step(time.Hour), "verify", "x")
}

// A wiped runtime costs a Job for each batch, not for each image.
func TestWipedRuntime(t *testing.T) {
	var refs []string
	var recs []v1alpha2.ImageRecord
	for i := range 40 {
		refs = append(refs, string(rune('A'+i)))
		recs = append(recs, cached(refs[i]))
	}
	c := cache("c", refs...)
	l := newLife(t, record(recs...).claimed(1, c), c)
	l.in.Node.Listed = 0
	jobs := 0
	for spec := l.step(0); spec != nil; spec = l.step(time.Second) {
		jobs++
		results := make([]outcome.Image, len(spec.Images))
		for i := range results {
			switch {
			case spec.Kind == JobPull:
				results[i] = pulled
			case i == 0 || !spec.Together:
				results[i] = absent
			default:
				results[i] = notTried
			}
		}
		l.finish(spec, results...)
	}
	if jobs > 10 {
		t.Errorf("%d Jobs", jobs)
	}
}

// An image whose refresh fails is verified like any other; that it is there
// does not mean that its refresh was fine.
func TestVerificationOfAFailedRefresh(t *testing.T) {
	c := cache("c", "x")
	c.Lists[0].Images[0].Policy = corev1.PullAlways
	x := cached("x")
	x.Attempts, x.Reason, x.Due = 3, v1alpha2.ReasonImageNotFound, v1alpha2.DueVerify
	x.Time = metav1.NewTime(now)
	l := newLife(t, record(x).claimed(1, c), c)
	check := l.step(0)
	l.wantJob(check, "verify", "x")
	l.finish(check, pulled)
	l.want(map[string]string{"x": "Cached ImageNotFound"})
}

// A verification looks at an image that a refresh wants pulled meanwhile: it is
// there, and still to be pulled.
func TestRefreshDuringAVerification(t *testing.T) {
	c := cache("c", "x")
	c.Lists[0].Images[0].Policy = corev1.PullAlways
	x := cached("x")
	x.Due = v1alpha2.DueVerify
	l := newLife(t, record(x).claimed(1, c), c)
	check := l.step(0)
	l.wantJob(check, "verify", "x")
	running := jobFor(c, time.Second, "x")
	running.Kind, running.Sequence = JobVerify, check.Sequence
	l.in.Caches, l.in.Jobs = []*Cache{asked(c, OperationRefresh)}, []Job{running}
	l.wantJob(l.step(0)) // takes in the refresh
	l.finish(check, pulled)
	l.want(map[string]string{"x": "Cached due Pull"})
	l.in.Jobs = nil
	l.wantJob(l.step(time.Second), "pull", "x")
}
