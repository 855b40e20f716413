package simulation

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// imageStore is what the container runtime of a node has: images by ID, each
// under several names. Like containerd it gives an image the name
// repository@digest with every pull by tag.
type imageStore struct {
	// ids are the IDs by name, images the images by ID.
	ids    map[string]string
	images map[string]*stored
}

// stored is one image.
type stored struct {
	id string
	// names are sorted: digests first, as nodes report them.
	names     []string
	megabytes int
	pinned    bool
	// users are the pods of users that run from the image.
	users int
}

func newImageStore() *imageStore {
	return &imageStore{ids: map[string]string{}, images: map[string]*stored{}}
}

// has returns whether an image of this name is there.
func (s *imageStore) has(name string) bool { return s.ids[name] != "" }

func repository(name string) string {
	name, _, _ = strings.Cut(name, "@")
	if at := strings.LastIndex(name, ":"); at >= 0 {
		return name[:at]
	}
	return name
}

func isDigest(name string) bool { return strings.Contains(name, "@") }

// put gives an image a name, and returns whether its blobs had to be fetched.
func (s *imageStore) put(name, id string, megabytes int) (fetched bool) {
	img := s.images[id]
	if img == nil {
		img = &stored{id: id, megabytes: megabytes}
		s.images[id] = img
		fetched = true
	}
	if old := s.ids[name]; old != id {
		s.untag(name)
	}
	for _, n := range []string{name, repository(name) + "@" + id} {
		if !contains(img.names, n) {
			img.names = append(img.names, n)
		}
		s.ids[n] = id
	}
	slices.SortFunc(img.names, func(a, b string) int {
		switch {
		case isDigest(a) && !isDigest(b):
			return -1
		case isDigest(b) && !isDigest(a):
			return 1
		}
		return cmp.Compare(a, b)
	})
	return fetched
}

// untag takes a name away; an image without names is gone.
func (s *imageStore) untag(name string) {
	img := s.images[s.ids[name]]
	if img == nil {
		return
	}
	delete(s.ids, name)
	img.names = slices.DeleteFunc(img.names, func(n string) bool { return n == name })
	if len(img.names) == 0 {
		delete(s.images, img.id)
	}
}

// drop deletes an image with all its names.
func (s *imageStore) drop(id string) {
	if img := s.images[id]; img != nil {
		for _, n := range img.names {
			delete(s.ids, n)
		}
		delete(s.images, id)
	}
}

// report is what the node tells of its images: the largest, and of each a few
// names; most < 0 is no limit.
func (s *imageStore) report(names, most int) (map[string]plan.Reported, int) {
	all := slices.SortedFunc(maps.Values(s.images), func(a, b *stored) int {
		return cmp.Or(cmp.Compare(b.megabytes, a.megabytes), cmp.Compare(a.id, b.id))
	})
	if most >= 0 {
		all = all[:min(len(all), most)]
	}
	reported := make(map[string]plan.Reported, 2*len(all))
	for _, img := range all {
		entry := plan.Reported{Digest: img.id, SizeBytes: int64(img.megabytes) << 20}
		for _, name := range img.names[:min(len(img.names), names)] {
			reported[name] = entry
		}
	}
	return reported, len(all)
}

// verdict is what a removal of these names finds for the image: the rules of
// internal/cri/removal in the simulation's own words.
func (img *stored) verdict(remove, keep []string) outcome.Image {
	switch {
	case img.pinned:
		return outcome.Image{Kind: outcome.Failed, Reason: v1alpha2.ReasonImagePinned, Message: "pinned"}
	case img.protected(remove, keep):
		return outcome.Image{Kind: outcome.Kept, Reason: v1alpha2.ReasonImageShared, Message: "another name of it stays"}
	case img.users > 0:
		return outcome.Image{Kind: outcome.Failed, Reason: v1alpha2.ReasonImageInUse, Message: "a pod uses it"}
	}
	return outcome.Image{Kind: outcome.Removed}
}

// protected: a name that is to be kept, or that nobody asked to remove.
func (img *stored) protected(remove, keep []string) bool {
	going := map[string]bool{}
	for _, n := range img.names {
		if contains(remove, n) {
			going[repository(n)] = true
		}
	}
	for _, n := range img.names {
		asked := contains(remove, n) || isDigest(n) && going[repository(n)]
		if !asked || contains(keep, n) {
			return true
		}
	}
	return false
}

// remove is a removal Job: each image is handled once, by its ID.
func (s *imageStore) remove(names, keep []string, gone func(*stored)) []outcome.Image {
	ids := make([]string, len(names))
	for i, name := range names {
		ids[i] = s.ids[name]
	}
	done := map[string]outcome.Image{"": {Kind: outcome.Removed}}
	results := make([]outcome.Image, len(names))
	for i, id := range ids {
		if _, known := done[id]; !known {
			img := s.images[id]
			done[id] = img.verdict(names, keep)
			if done[id].Kind == outcome.Removed {
				gone(img)
				s.drop(id)
			}
		}
		results[i] = done[id]
	}
	return results
}
