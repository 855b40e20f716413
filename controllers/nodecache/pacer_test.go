package nodecache

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

func job(name string, finished bool) *batchv1.Job {
	j := &batchv1.Job{}
	j.Namespace, j.Name = "default", name
	j.Labels = map[string]string{
		v1alpha2.LabelApp:       v1alpha2.LabelAppValue,
		v1alpha2.LabelComponent: v1alpha2.LabelComponentValue,
	}
	if finished {
		j.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}
	}
	return j
}

// none is what a Job runs beside when it runs alone.
var none types.NamespacedName

func key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "default", Name: name}
}

// reserve takes a slot for a pull Job.
func reserve(p *Pacer, job, beside types.NamespacedName, node string, now time.Time) bool {
	ask := Ask{Job: job, Node: node}
	if beside != none {
		ask.Beside = append(ask.Beside, beside)
	}
	return p.Take(ask, now)
}

// openPacer returns a Pacer that has counted the existing Jobs, and the nodes
// it wakes.
func openPacer(t *testing.T, most int, existing ...*batchv1.Job) (*Pacer, *[]string) {
	t.Helper()
	builder := fake.NewClientBuilder()
	for _, j := range existing {
		builder.WithObjects(j)
	}
	var woken []string
	p := NewPacer(most, builder.Build(), func(node string) { woken = append(woken, node) })
	if !p.recount(t.Context()) {
		t.Fatal("the Jobs cannot be counted")
	}
	return p, &woken
}

func TestPacerIsClosedUntilItHasCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var woken []string
		p := NewPacer(5, fake.NewClientBuilder().Build(), func(node string) { woken = append(woken, node) })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = p.Start(ctx) }()
		if reserve(p, key("a"), none, "n1", clock.Now()) {
			t.Error("a slot was given before the last leader's creates are over")
		}
		time.Sleep(createTimeout - time.Millisecond)
		synctest.Wait()
		if reserve(p, key("a"), none, "n1", clock.Now()) {
			t.Error("a slot was given too early")
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if !slices.Equal(woken, []string{"n1"}) || !reserve(p, key("a"), none, "n1", clock.Now()) {
			t.Errorf("the waiting node is not served: woken %v", woken)
		}
		cancel()
		<-done
	})
}

func TestPacerCountsJobsOfTheLastLeader(t *testing.T) {
	p, _ := openPacer(t, 2, job("old", false), job("done", true))
	if !reserve(p, key("new"), none, "n1", clock.Now()) || reserve(p, key("more"), none, "n2", clock.Now()) {
		t.Error("want room for exactly one Job beside the unfinished one")
	}
}

func TestPacerServesInOrder(t *testing.T) {
	p, woken := openPacer(t, 1)
	reserve(p, key("a"), none, "n1", clock.Now())
	for _, node := range []string{"n2", "n3", "n2"} {
		reserve(p, key("job-of-"+node), none, node, clock.Now())
	}
	p.Release(key("a"))
	reserve(p, key("job-of-n2"), none, "n2", clock.Now())
	p.Release(key("job-of-n2"))
	// The node whose Job ended is woken, too.
	if want := []string{"n1", "n2", "n2", "n3"}; !slices.Equal(*woken, want) {
		t.Errorf("woken %v, want %v", *woken, want)
	}
}

func TestPacerFollowsTheInformer(t *testing.T) {
	p, _ := openPacer(t, 1)
	h := p.Handler()
	h.OnAdd(job("a", false), true)
	if reserve(p, key("b"), none, "n1", clock.Now()) {
		t.Error("an unfinished Job was not counted")
	}
	h.OnUpdate(job("a", false), job("a", true))
	if !reserve(p, key("b"), none, "n1", clock.Now()) {
		t.Error("a finished Job still counts")
	}
	h.OnAdd(job("b", false), false)
	h.OnDelete(toolscache.DeletedFinalStateUnknown{Key: "default/b", Obj: job("b", false)})
	if !reserve(p, key("c"), none, "n1", clock.Now()) {
		t.Error("a deleted Job still counts")
	}
}

func TestPacerChecksDoubtfulSlots(t *testing.T) {
	p, _ := openPacer(t, 2, job("there", false))
	reserve(p, key("lost"), none, "n1", clock.Now())
	later := clock.Now().Add(reservationAge + time.Second)
	p.check(t.Context(), later)
	if !reserve(p, key("next"), none, "n1", later) {
		t.Error("the slot of a Job that does not exist was not freed")
	}
	if reserve(p, key("another"), none, "n1", later) {
		t.Error("the slot of a Job that exists was freed")
	}
}

func TestOneJobPerNode(t *testing.T) {
	p, _ := openPacer(t, 0)
	reserve(p, key("a"), none, "n1", clock.Now())
	for _, again := range []string{"a", "b"} {
		if reserve(p, key(again), none, "n1", clock.Now()) {
			t.Errorf("a second Job %s was let onto the node", again)
		}
	}
	if !reserve(p, key("b"), key("a"), "n1", clock.Now()) {
		t.Error("no Job beside the slow one")
	}
	if reserve(p, key("c"), key("a"), "n1", clock.Now()) {
		t.Error("a third Job was let onto the node")
	}
	if !reserve(p, key("d"), none, "n2", clock.Now()) {
		t.Error("another node was refused")
	}
}

// A Job that was deleted and is created again under its name must not be
// freed by the late news of its predecessor's end.
func TestOldNewsFreesNothing(t *testing.T) {
	p, _ := openPacer(t, 1)
	h := p.Handler()
	old := job("a", false)
	old.UID = "old"
	reserve(p, key("a"), none, "n1", clock.Now())
	h.OnDelete(old)
	p.Confirm(key("a"), "new")
	h.OnDelete(old)
	if reserve(p, key("b"), none, "n2", clock.Now()) {
		t.Error("the slot was freed")
	}
	now := job("a", false)
	now.UID = "new"
	h.OnDelete(now)
	if !reserve(p, key("b"), none, "n2", clock.Now()) {
		t.Error("the slot was not freed")
	}
}
