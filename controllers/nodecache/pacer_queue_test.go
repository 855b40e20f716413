package nodecache

import (
	"fmt"
	"slices"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// from is a pull Job of a node for one image of each registry.
func from(node, name string, hosts ...string) Ask {
	a := Ask{Job: key(name), Node: node, Kind: plan.JobPull}
	for _, host := range hosts {
		a.Images = append(a.Images, host+"/app:1")
	}
	return a
}

// asJob is the Job that an Ask makes.
func asJob(a Ask) *batchv1.Job {
	j := job(a.Job.Name, false)
	images := `["`
	for i, image := range a.Images {
		if i > 0 {
			images += `","`
		}
		images += image
	}
	j.Annotations = map[string]string{
		v1alpha2.AnnotationNode: a.Node, v1alpha2.AnnotationOperation: string(a.Kind), v1alpha2.AnnotationImages: images + `"]`,
	}
	return j
}

func taken(t *testing.T, p *Pacer, a Ask, want bool) {
	t.Helper()
	if got := p.Take(a, clock.Now()); got != want {
		t.Errorf("%s on %s: taken %t, want %t", a.Job.Name, a.Node, got, want)
	}
}

// Whatever else runs on a node, verifications and removals run alone.
func TestKindsOnOneNode(t *testing.T) {
	for name, test := range map[string]struct {
		perNode int
		first   plan.JobKind
		second  plan.JobKind
		want    bool
	}{
		"two pulls of one":           {1, plan.JobPull, plan.JobPull, false},
		"two pulls of two":           {2, plan.JobPull, plan.JobPull, true},
		"a removal beside a pull":    {2, plan.JobPull, plan.JobRemove, false},
		"a pull beside a removal":    {2, plan.JobRemove, plan.JobPull, false},
		"two removals":               {2, plan.JobRemove, plan.JobRemove, false},
		"a pull beside a check":      {2, plan.JobVerify, plan.JobPull, false},
		"a check beside a pull":      {2, plan.JobPull, plan.JobVerify, false},
		"a check beside a removal":   {2, plan.JobRemove, plan.JobVerify, false},
		"no kind is a pull of 2":     {2, "", "", true},
		"no kind is a pull of 1":     {1, "", plan.JobPull, false},
		"no kind, beside a removal":  {2, plan.JobRemove, "", false},
		"a removal beside no kind":   {2, "", plan.JobRemove, false},
		"more pulls than are usual":  {10, plan.JobPull, plan.JobPull, true},
		"nought per node counts one": {0, plan.JobPull, plan.JobPull, false},
	} {
		first, second := Ask{Job: key("a"), Node: "n1", Kind: test.first}, Ask{Job: key("b"), Node: "n1", Kind: test.second}
		reserved, _ := openPacer(t, 0)
		reserved.Limit(test.perNode, 0, NewRegistries())
		taken(t, reserved, first, true)
		// The same of a Job that another leader has left.
		found, _ := openPacer(t, 0, asJob(first))
		found.Limit(test.perNode, 0, NewRegistries())
		// And of one that the informer tells of.
		told, _ := openPacer(t, 0)
		told.Limit(test.perNode, 0, NewRegistries())
		told.Handler().OnAdd(asJob(first), false)
		for how, p := range map[string]*Pacer{"reserved": reserved, "found": found, "told": told} {
			if got := p.Take(second, clock.Now()); got != test.want {
				t.Errorf("%s, %s: got %t, want %t", name, how, got, test.want)
			}
		}
	}
}

// A Job may run beside several that only end, and no other.
func TestPullsBesideSeveral(t *testing.T) {
	p, _ := openPacer(t, 0)
	taken(t, p, Ask{Job: key("slow"), Node: "n1"}, true)
	taken(t, p, Ask{Job: key("spent"), Node: "n1", Beside: []types.NamespacedName{key("slow")}}, true)
	taken(t, p, Ask{Job: key("p"), Node: "n1", Beside: []types.NamespacedName{key("slow")}}, false)
	taken(t, p, Ask{Job: key("p"), Node: "n1", Beside: []types.NamespacedName{key("slow"), key("spent")}}, true)
}

func TestRemovalIsNotBesideASlowPull(t *testing.T) {
	p, _ := openPacer(t, 0)
	taken(t, p, from("n1", "slow", hub), true)
	taken(t, p, Ask{Job: key("r"), Beside: []types.NamespacedName{key("slow")}, Node: "n1", Kind: plan.JobRemove}, false)
	taken(t, p, Ask{Job: key("p"), Beside: []types.NamespacedName{key("slow")}, Node: "n1", Kind: plan.JobPull}, true)
}

func TestPullsPerNode(t *testing.T) {
	p, _ := openPacer(t, 0)
	p.Limit(3, 0, NewRegistries())
	for i, want := range []bool{true, true, true, false} {
		taken(t, p, from("n1", fmt.Sprintf("j%d", i), hub), want)
	}
	a := from("n1", "beside", hub)
	a.Beside = []types.NamespacedName{key("j0")}
	taken(t, p, a, true)
}

// TestJobsPerRegistry counts Jobs that were reserved and Jobs that were found.
func TestJobsPerRegistry(t *testing.T) {
	p, woken := openPacer(t, 0, asJob(from("n0", "old", hub)))
	p.Limit(1, 2, NewRegistries())
	taken(t, p, from("n1", "a", hub, quay), true)
	taken(t, p, from("n2", "b", hub), false)
	taken(t, p, from("n3", "c", quay), true)
	taken(t, p, Ask{Job: key("v"), Node: "n4", Kind: plan.JobVerify, Images: []string{hub + "/a:1"}}, true)
	p.Release(key("old"))
	if want := []string{"n0", "n2"}; !slices.Equal(*woken, want) {
		t.Errorf("woken %v, want %v", *woken, want)
	}
	// The slot is kept for n2.
	taken(t, p, from("n5", "d", hub), false)
	taken(t, p, from("n2", "b", hub), true)
}

// Who needs two registries must not be overtaken for ever by those who need
// one of them.
func TestNobodyStarvesForTwoRegistries(t *testing.T) {
	p, _ := openPacer(t, 0)
	p.Limit(1, 1, NewRegistries())
	taken(t, p, from("n1", "a", hub), true)
	taken(t, p, from("n2", "b", quay), true)
	taken(t, p, from("n3", "both", hub, quay), false)
	p.Release(key("a"))
	taken(t, p, from("n4", "c", hub), false)
	p.Release(key("b"))
	taken(t, p, from("n5", "d", quay), false)
	taken(t, p, from("n3", "both", hub, quay), true)
}

// A node that waits for a registry goes on with the others, and is woken when
// the registry has a slot.
func TestWaitingForARegistry(t *testing.T) {
	p, woken := openPacer(t, 0)
	p.Limit(1, 1, NewRegistries())
	now := clock.Now()
	open := func(host, node string) bool { return !p.RegistryOpen(host, node, false, now).After(now) }
	if !open(hub, "n1") {
		t.Error("closed though nobody uses it")
	}
	taken(t, p, from("n1", "a", hub), true)
	if open(hub, "n2") || !open(quay, "n2") {
		t.Error("want docker.io closed and quay.io open")
	}
	taken(t, p, from("n2", "b", quay), true)
	p.Release(key("b"))
	p.Release(key("a"))
	if want := []string{"n2", "n1", "n2"}; !slices.Equal(*woken, want) {
		t.Errorf("woken %v, want %v", *woken, want)
	}
	if open(hub, "n3") || !open(hub, "n2") {
		t.Error("want it open for who waited, and closed for who did not")
	}
	taken(t, p, from("n3", "c", hub), false)
	taken(t, p, from("n2", "d", hub), true)
}

// A registry without a cap never delays, however full the cluster is.
func TestOpenRegistryWithoutCap(t *testing.T) {
	p, _ := openPacer(t, 1)
	taken(t, p, from("n1", "a", hub), true)
	if at := p.RegistryOpen(hub, "n2", false, clock.Now()); !at.IsZero() {
		t.Errorf("closed until %s", at)
	}
}

// A registry in trouble is closed for a while; then one Job finds out.
func TestProbing(t *testing.T) {
	p, woken := openPacer(t, 0)
	r := NewRegistries()
	p.Limit(1, 0, r)
	taken(t, p, from("n0", "before", hub), true)
	p.slots[key("before")] = slot{node: "n0", hosts: []string{hub}, began: zero.Add(-time.Minute), seen: true}
	r.learn("n1", records{throttled("a", 0, 1)})

	during, later := after(5), after(30)
	if at := p.RegistryOpen(hub, "n2", false, during); !at.After(after(9)) {
		t.Errorf("open again at %s", at)
	}
	if p.Take(from("n2", "b", hub), during) {
		t.Error("a Job was let through while the registry is to be left alone")
	}
	if !p.Take(from("n3", "c", quay), during) {
		t.Error("another registry waits, too")
	}
	p.Handler().OnAdd(asJob(from("n3", "c", quay)), false)
	// The Job of n0 is from before the trouble and is no probe. n2 has waited.
	p.check(t.Context(), later)
	if !slices.Equal(*woken, []string{"n2"}) {
		t.Errorf("woken %v, want n2", *woken)
	}
	if !p.Take(from("n2", "b", hub), later) {
		t.Error("no probe")
	}
	if p.Take(from("n4", "d", hub), later) || !p.RegistryOpen(hub, "n5", false, later).After(later) {
		t.Error("a second probe beside the first")
	}
	// It serves: everybody may go.
	r.learn("n2", records{cached("a", 31)})
	p.check(t.Context(), after(35))
	if !p.Take(from("n4", "d", hub), after(35)) || !p.Take(from("n5", "e", hub), after(35)) {
		t.Error("still closed though it serves")
	}
}

// What one node cannot reach is closed for that node only, and blocks nobody.
func TestOneNodesTroubleBlocksNobody(t *testing.T) {
	p, _ := openPacer(t, 0)
	r := NewRegistries()
	p.Limit(1, 1, r)
	r.learn("n1", records{unreached("a", 0, 1)})
	if p.Take(from("n1", "a", hub), after(1)) {
		t.Error("the node asks again at once")
	}
	if !p.Take(from("n2", "b", hub), after(1)) {
		t.Error("the other node waits")
	}
}

// A turn that nobody takes is passed on.
func TestTurnsLapse(t *testing.T) {
	p, woken := openPacer(t, 1)
	start := clock.Now()
	p.Take(from("n1", "a", hub), start)
	p.Take(from("n2", "b", hub), start)
	p.Take(from("n3", "c", hub), start)
	p.Release(key("a")) // n2's turn, which never comes for it
	later := clock.Now().Add(grantAge)
	p.check(t.Context(), later)
	if want := []string{"n1", "n2", "n3"}; !slices.Equal(*woken, want) {
		t.Errorf("woken %v, want %v", *woken, want)
	}
	if !p.Take(from("n3", "c", hub), later) {
		t.Error("n3 has no slot")
	}
}

// A turn that comes while the node has something else to do is not lost.
func TestPlaceIsKept(t *testing.T) {
	p, _ := openPacer(t, 0)
	p.Limit(1, 1, NewRegistries())
	now := clock.Now()
	taken(t, p, from("n1", "a", hub), true)
	p.RegistryOpen(hub, "n2", false, now)
	p.RegistryOpen(hub, "n3", false, now)
	p.RegistryOpen(hub, "n4", false, now)
	p.Release(key("a")) // docker.io for n2, which has planned quay.io meanwhile
	taken(t, p, from("n2", "b", quay), true)
	taken(t, p, from("n3", "c", hub), true)
	p.Release(key("b"))
	p.Release(key("c"))
	taken(t, p, from("n4", "d", hub), false)
	taken(t, p, from("n2", "e", hub), true)
}

// A cache of five hundred images on twenty nodes and one slot: the one image
// of another cache on another node must not wait for them.
func TestNodesTakeTurns(t *testing.T) {
	const nodes, jobsEach, stranger = 20, 50, "stranger"
	p, woken := openPacer(t, 1)
	left, order := map[string]int{}, []string{}
	for i := range nodes {
		left[fmt.Sprintf("n%02d", i)] = jobsEach
	}
	running, number := Ask{}, 0
	look := func(node string) {
		if left[node] == 0 {
			return
		}
		number++
		if a := from(node, fmt.Sprintf("j%d", number), hub); p.Take(a, clock.Now()) {
			running = a
			left[node]--
			order = append(order, node)
		}
	}
	for node := range left {
		look(node)
	}
	for len(order) < nodes*jobsEach+1 {
		if len(order) == 30 && left[stranger] == 0 && !slices.Contains(order, stranger) {
			left[stranger] = 1
			look(stranger)
		}
		*woken = nil
		p.Release(running.Job)
		if len(*woken) == 0 {
			t.Fatalf("nobody is woken after %d Jobs", len(order))
		}
		for _, node := range *woken {
			look(node)
		}
	}
	if at := slices.Index(order, stranger); at > 30+nodes {
		t.Errorf("the other cache's image came after %d Jobs, it was asked for after 30", at)
	}
	for i := nodes; i < len(order); i++ {
		if slices.Contains(order[i-nodes+1:i], order[i]) && order[i] != stranger {
			t.Fatalf("%s had two turns within %d Jobs", order[i], nodes)
		}
	}
}

// However many nodes wait, their looks do not become more.
func TestLookAgain(t *testing.T) {
	for waiting, want := range map[int]time.Duration{
		0: soonestLook, 100: soonestLook, 1000: 20 * time.Second, 5000: 100 * time.Second, 50000: latestLook,
	} {
		p := NewPacer(1, nil, func(string) {})
		p.queue = make([]turn, waiting)
		if got := p.LookAgain(); got != want {
			t.Errorf("%d nodes wait: %s, want %s", waiting, got, want)
		}
	}
}
