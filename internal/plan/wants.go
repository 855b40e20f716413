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
	var wants []Want
	index := map[Key]int{}
	for _, cache := range oldestFirst(caches) {
		for _, image := range CacheImages(node, cache) {
			if image.Invalid != "" {
				continue
			}
			key := Key{image.Ref, cache.Identity}
			i, seen := index[key]
			if !seen {
				i = len(wants)
				index[key] = i
				wants = append(wants, Want{Key: key, Name: image.Name, Policy: image.Policy})
			}
			wants[i].add(cache, image.Policy)
		}
	}
	return wants
}

func (w *Want) add(cache *Cache, policy corev1.PullPolicy) {
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
