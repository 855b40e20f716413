package observe

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/google/go-cmp/cmp"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/fixture"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

const purgeSeven = `{"kind":"purge","id":7,"generation":1,"time":"2026-01-02T03:04:05Z","purgeValue":"a"}`

func accepted(text string) fixture.CacheMod {
	return fixture.WithAnnotation(v1alpha2.AnnotationAccepted, text)
}

func TestOperationIsRead(t *testing.T) {
	seven := plan.Operation{Kind: plan.OperationPurge, ID: 7, Generation: 1, Time: fixture.Created, PurgeValue: "a"}
	for name, tc := range map[string]struct {
		text string
		want plan.Operation
	}{
		"none":           {"", plan.Operation{}},
		"a purge":        {purgeSeven, seven},
		"not JSON":       {"{", plan.Operation{}},
		"another type":   {`[1]`, plan.Operation{}},
		"a bad time":     {`{"kind":"purge","id":7,"generation":1,"time":"yesterday"}`, plan.Operation{}},
		"another kind":   {`{"kind":"pull","id":7,"generation":1,"time":"2026-01-02T03:04:05Z"}`, plan.Operation{}},
		"without an id":  {`{"kind":"purge","generation":1,"time":"2026-01-02T03:04:05Z"}`, plan.Operation{}},
		"a negative id":  {`{"kind":"purge","id":-1,"generation":1,"time":"2026-01-02T03:04:05Z"}`, plan.Operation{}},
		"the last id":    {`{"kind":"purge","id":9223372036854775807,"generation":1,"time":"2026-01-02T03:04:05Z"}`, plan.Operation{}},
		"cut in the end": {purgeSeven[:len(purgeSeven)-1], plan.Operation{}},
	} {
		if diff := cmp.Diff(tc.want, Operation(fixture.ImageCache("c", accepted(tc.text)))); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestPurgingNeedsPolicyFinalizerAndDeletion(t *testing.T) {
	purge, retain := fixture.WithDeletionPolicy(v1alpha2.DeletionPolicyPurge), fixture.WithDeletionPolicy(v1alpha2.DeletionPolicyRetain)
	held := func(ic *v1alpha2.ImageCache) { ic.Finalizers = []string{v1alpha2.FinalizerPurge} }
	for name, tc := range map[string]struct {
		mods []fixture.CacheMod
		want bool
	}{
		"not deleted":           {[]fixture.CacheMod{purge, held}, false},
		"deleted":               {[]fixture.CacheMod{purge, fixture.Deleting(v1alpha2.FinalizerPurge)}, true},
		"deleted, to be kept":   {[]fixture.CacheMod{retain, fixture.Deleting(v1alpha2.FinalizerPurge)}, false},
		"deleted, held by else": {[]fixture.CacheMod{purge, fixture.Deleting("example.com/backup")}, false},
	} {
		var c Caches
		if got := c.One(fixture.ImageCache("c", tc.mods...)); got.Purging != tc.want {
			t.Errorf("%s: Purging %v", name, got.Purging)
		}
	}
}

func TestWhatIsRememberedFollowsTheObject(t *testing.T) {
	for name, edit := range map[string]fixture.CacheMod{
		"an edit":               fixture.WithGeneration(2),
		"an accepted operation": accepted(purgeSeven),
		"its deletion":          fixture.Deleting("example.com/backup"),
		"our finalizer":         func(ic *v1alpha2.ImageCache) { ic.Finalizers = []string{v1alpha2.FinalizerPurge} },
	} {
		var c Caches
		ic := fixture.ImageCache("c", fixture.WithImages(nil, "nginx:1"))
		first := c.One(ic)
		edit(ic)
		if c.One(ic) == first {
			t.Errorf("%s is not seen", name)
		}
	}
	var c Caches
	ic := fixture.ImageCache("c", fixture.WithImages(nil, "nginx:1"))
	first := c.One(ic)
	ic.ResourceVersion, ic.Status.Cached = "9", 3
	fixture.WithAnnotation("example.com/note", "x")(ic)
	if c.Of([]v1alpha2.ImageCache{*ic})[0] != first {
		t.Error("what decides nothing has it converted again")
	}
}

func TestRefreshInterval(t *testing.T) {
	c := Caches{Defaults: Defaults{RefreshInterval: time.Hour}}
	for name, tc := range map[string]struct {
		mods []fixture.CacheMod
		want time.Duration
	}{
		"unset": {nil, time.Hour},
		"set":   {[]fixture.CacheMod{fixture.WithRefreshInterval(time.Minute)}, time.Minute},
		"off":   {[]fixture.CacheMod{fixture.WithRefreshInterval(0)}, 0},
	} {
		if got := c.One(fixture.ImageCache(name, tc.mods...)).RefreshInterval; got != tc.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func requirement(key string, values ...string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}
}

func term(list ...corev1.NodeSelectorRequirement) corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchExpressions: list}
}

func terms(list ...corev1.NodeSelectorTerm) []corev1.NodeSelectorTerm { return list }

// TestSelectorsHash: equal for specs that select the same by their letter, and
// different when any list selects by something else.
func TestSelectorsHash(t *testing.T) {
	hash := func(mods ...fixture.CacheMod) string {
		var c Caches
		return c.One(fixture.ImageCache("c", mods...)).Selectors
	}
	backend, disk := map[string]string{"tier": "backend"}, map[string]string{"disk": "ssd", "tier": "backend"}
	a, b := requirement("a", "1", "2"), requirement("b", "3")
	first := hash(fixture.WithImages(nil, "x"), fixture.WithImages(backend, "y"), fixture.WithImagesByAffinity(terms(term(a, b), term(b)), "z"))
	same := map[string]string{
		"other images, other order of lists": hash(fixture.WithImagesByAffinity(terms(term(a, b), term(b)), "1"), fixture.WithImages(backend, "2", "3"), fixture.WithImages(nil, "4")),
		"other order within the affinity":    hash(fixture.WithImages(nil, "x"), fixture.WithImages(backend, "y"), fixture.WithImagesByAffinity(terms(term(b), term(b, requirement("a", "2", "1"))), "z")),
		"no labels instead of nil":           hash(fixture.WithImages(map[string]string{}, "x"), fixture.WithImages(backend, "y"), fixture.WithImagesByAffinity(terms(term(a, b), term(b)), "z")),
		"a list split in two":                hash(fixture.WithImages(nil, "x"), fixture.WithImages(nil, "v"), fixture.WithImages(backend, "y"), fixture.WithImagesByAffinity(terms(term(a, b), term(b)), "z")),
	}
	for name, got := range same {
		if got != first {
			t.Errorf("%s: another hash", name)
		}
	}
	seen := map[string]string{first: "the first"}
	for name, got := range map[string]string{
		"one list less":      hash(fixture.WithImages(nil, "x"), fixture.WithImages(backend, "y")),
		"another label":      hash(fixture.WithImages(nil, "x"), fixture.WithImages(disk, "y")),
		"no list":            hash(),
		"every node":         hash(fixture.WithImages(nil, "x")),
		"affinity, no terms": hash(fixture.WithImagesByAffinity(nil, "x")),
		"another value":      hash(fixture.WithImagesByAffinity(terms(term(requirement("a", "1"))), "x")),
		"another operator":   hash(fixture.WithImagesByAffinity(terms(term(corev1.NodeSelectorRequirement{Key: "a", Operator: corev1.NodeSelectorOpNotIn, Values: []string{"1"}})), "x")),
		"by field":           hash(fixture.WithImagesByAffinity(terms(corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{requirement("a", "1")}}), "x")),
	} {
		if other, taken := seen[got]; taken || got == "" {
			t.Errorf("%s: the same hash as %s", name, other)
		}
		seen[got] = name
	}
}

// TestSelectorsHashChangesNoObject: what is hashed is sorted, and the object is
// the informer's.
func TestSelectorsHashChangesNoObject(t *testing.T) {
	ic := fixture.ImageCache("c", fixture.WithImagesByAffinity(terms(term(requirement("b", "2", "1"), requirement("a"))), "x"))
	before := ic.DeepCopy()
	var c Caches
	c.One(ic)
	if diff := cmp.Diff(before, ic, cmp.Comparer(func(a, b metav1.Time) bool { return a.Equal(&b) })); diff != "" {
		t.Error(diff)
	}
}
