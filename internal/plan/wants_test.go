package plan

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// wish is a Want in words.
func wish(w Want) string {
	text := fmt.Sprintf("%s@%s %s:", w.Image, w.Identity, w.Policy)
	for _, c := range w.Claimants {
		text += " " + c.Name
	}
	return text
}

func TestWants(t *testing.T) {
	older := func(c *Cache) { c.Created = ago(2 * time.Hour) }
	secret := func(c *Cache) { c.Identity = "abc" }
	always := func(c *Cache) { c.Lists[0].Images[0].Policy = corev1.PullAlways }
	tests := map[string]struct {
		caches []*Cache
		want   []string
	}{
		"none": {},
		"one cache, in the order of its list": {
			caches: []*Cache{cache("one", "b", "a")},
			want:   []string{"b@node IfNotPresent: one", "a@node IfNotPresent: one"},
		},
		"named twice": {
			caches: []*Cache{cache("one", "a", "a")},
			want:   []string{"a@node IfNotPresent: one"},
		},
		"two lists select the node, one does not": {
			caches: []*Cache{cache("one", "a").with(func(c *Cache) {
				c.Lists = []List{
					{Images: images("a", "b"), Selects: pool("a")},
					{Images: images("c"), Selects: pool("b")},
					{Images: images("b", "d"), Selects: everyNode},
				}
			})},
			want: []string{"a@node IfNotPresent: one", "b@node IfNotPresent: one", "d@node IfNotPresent: one"},
		},
		"two caches share an image, the oldest first": {
			caches: []*Cache{cache("young", "a", "b"), cache("old", "b").with(older)},
			want:   []string{"b@node IfNotPresent: old young", "a@node IfNotPresent: young"},
		},
		"the same age: by name": {
			caches: []*Cache{cache("b", "x"), cache("a", "x")},
			want:   []string{"x@node IfNotPresent: a b"},
		},
		"two identities are two wants": {
			caches: []*Cache{cache("open", "a"), cache("secret", "a").with(secret)},
			want:   []string{"a@node IfNotPresent: open", "a@abc IfNotPresent: secret"},
		},
		"Always of any claimant wins": {
			caches: []*Cache{cache("a", "x"), cache("b", "x").with(always)},
			want:   []string{"x@node Always: a b"},
		},
		"being deleted, wants nothing": {caches: []*Cache{cache("gone", "a").with(func(c *Cache) { c.Deleting = true })}},
		"suspended, keeps its claim": {
			caches: []*Cache{cache("rest", "a").with(func(c *Cache) { c.Suspend = true })},
			want:   []string{"a@node IfNotPresent: rest"},
		},
		"an invalid name is not wanted": {
			caches: []*Cache{cache("one", "a").with(func(c *Cache) {
				c.Lists = []List{{Images: []Image{{Name: "A:", Invalid: "bad"}}, Selects: everyNode}}
			})},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			n := node()
			var got []string
			for _, w := range Wants(&n, tc.caches) {
				got = append(got, wish(w))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
