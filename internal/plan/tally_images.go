package plan

import "github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"

// imageSet are the images that an ImageCache wants on the nodes that the same
// of its lists select. There are few of them, one as a rule, so they are worked
// out once and not for each of thousands of nodes.
type imageSet struct {
	images []Image
	// places are where an image is in images, by its reference.
	places map[string]int
	// summary is where in the tally an image is counted.
	summary []int
}

// nothing is what is wanted where no list selects a node.
var nothing = &imageSet{}

// setOf returns what the ImageCache wants on a node, and whether any list is
// for the node, also when it wants nothing there because it was purged or is
// being deleted with its images.
func (t *tally) setOf(node *Node) (set *imageSet, selected bool) {
	if t.cache.Deleting && !t.cache.Purging {
		return nothing, false
	}
	lists := make([]byte, len(t.cache.Lists))
	for i, list := range t.cache.Lists {
		if list.Selects(node.Name, node.Labels) {
			lists[i], selected = 1, true
		}
	}
	if !selected {
		return nothing, false
	}
	set, known := t.sets[string(lists)]
	if !known {
		set = t.newSet(CacheImages(node, t.cache))
		t.sets[string(lists)] = set
	}
	return set, true
}

func (t *tally) newSet(images []Image) *imageSet {
	set := &imageSet{images: images, places: make(map[string]int, len(images))}
	for i := range images {
		if images[i].Invalid == "" {
			set.places[images[i].Ref] = i
		}
		set.summary = append(set.summary, t.summaryOf(images[i].Name))
	}
	return set
}

// summaryOf returns where an image is counted, by the name the user gave it.
func (t *tally) summaryOf(name string) int {
	i, seen := t.byImage[name]
	if !seen {
		i = len(t.images)
		t.byImage[name] = i
		t.images = append(t.images, v1alpha2.ImageSummary{Image: name})
	}
	return i
}
