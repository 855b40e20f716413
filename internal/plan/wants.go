package plan

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Wants returns every image that caches want on node, once per image and pull
// identity, in the order of the oldest cache that wants it. Caches that are
// being deleted or were purged want nothing; suspended ones keep their claim.
func Wants(node *Node, caches []*Cache) []Want {
	wants, _ := indexedWants(node, caches)
	return wants
}

// indexedWants returns the wants and where each is among them.
func indexedWants(node *Node, caches []*Cache) ([]Want, map[Key]int) {
	most := 0
	lists := selectedLists(node, caches)
	for i := range lists {
		most += len(lists[i].Images)
	}
	wants, index := make([]Want, 0, most), make(map[Key]int, most)
	// Most images have one claimant: these share an array, which append leaves
	// as soon as there is a second one.
	claimants := make([]*Cache, 0, most)
	for _, list := range lists {
		for i := range list.Images {
			image := &list.Images[i]
			key := Key{image.Ref, list.cache.Identity}
			if image.Invalid != "" {
				continue
			}
			if at, seen := index[key]; seen {
				wants[at].add(list.cache, image.Policy)
				continue
			}
			index[key] = len(wants)
			claimants = append(claimants, list.cache)
			wants = append(wants, Want{
				Key: key, Name: image.Name, Policy: image.Policy, Claimants: slices.Clip(claimants[len(claimants)-1:]),
			})
		}
	}
	return wants, index
}

// selectedList is a list that selects a node, and whose it is.
type selectedList struct {
	*List
	cache *Cache
}

// selectedLists returns what is wanted on a node, the oldest cache first.
func selectedLists(node *Node, caches []*Cache) []selectedList {
	var lists []selectedList
	for _, cache := range oldestFirst(caches) {
		if cache.Deleting || cache.Purged() {
			continue
		}
		for i := range cache.Lists {
			if list := &cache.Lists[i]; list.Selects(node.Name, node.Labels) {
				lists = append(lists, selectedList{list, cache})
			}
		}
	}
	return lists
}

// add adds a claimant, once though several of its lists name the image.
func (w *Want) add(cache *Cache, policy corev1.PullPolicy) {
	if w.Claimants[len(w.Claimants)-1] == cache {
		return
	}
	w.Claimants = append(w.Claimants, cache)
	if policy == corev1.PullAlways {
		w.Policy = policy
	}
}

// CacheImages returns the images that cache wants on node, each once, in the
// order of its lists; images that cannot be parsed are among them. A purged
// cache wants none.
func CacheImages(node *Node, cache *Cache) []Image {
	if cache.Deleting || cache.Purged() {
		return nil
	}
	var images []Image
	seen := map[string]bool{}
	for _, list := range cache.Lists {
		if !list.Selects(node.Name, node.Labels) {
			continue
		}
		for _, image := range list.Images {
			id := cmp.Or(image.Ref, image.Name)
			if !seen[id] {
				seen[id] = true
				images = append(images, image)
			}
		}
	}
	return images
}

// lists tells whether the spec of cache names the image, for whatever node.
func (c *Cache) lists(key Key) bool {
	return c.Identity == key.Identity && slices.ContainsFunc(c.Lists, func(l List) bool {
		return slices.ContainsFunc(l.Images, func(i Image) bool { return i.Ref == key.Image })
	})
}

// Selects tells whether any list of cache is for node.
func Selects(node *Node, cache *Cache) bool {
	return !cache.Deleting && slices.ContainsFunc(cache.Lists, func(l List) bool {
		return l.Selects(node.Name, node.Labels)
	})
}

// oldestFirst sorts by creation time, then by name, so that every replica
// agrees on the order.
func oldestFirst(caches []*Cache) []*Cache {
	sorted := slices.Clone(caches)
	slices.SortFunc(sorted, func(a, b *Cache) int {
		return cmp.Or(a.Created.Compare(b.Created),
			cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return sorted
}
