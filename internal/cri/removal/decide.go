package removal

import (
	"fmt"
	"strings"

	"github.com/kubefledged/kubefledged-operator/internal/cri"
	"github.com/kubefledged/kubefledged-operator/internal/reference"
)

// image is what the runtime has under one ID.
type image struct {
	id string
	// names are its tags and digests, as the runtime writes them.
	names  []string
	pinned bool
}

// use is one thing on the node that needs an image.
type use struct {
	// by says who, in words for users.
	by string
	// images are the names and IDs under which it knows the image.
	images []string
}

// intent is what was asked for. The names are canonical.
type intent struct {
	remove, keep map[string]bool
	// keepRepos are the repositories of keep.
	keepRepos map[string]bool
	// otherNames says that names in neither list do not protect an image.
	otherNames bool
}

func newIntent(remove, keep []string, otherNames bool) intent {
	in := intent{map[string]bool{}, map[string]bool{}, map[string]bool{}, otherNames}
	for _, name := range remove {
		in.remove[canonical(name)] = true
	}
	for _, name := range keep {
		name = canonical(name)
		in.keep[name] = true
		in.keepRepos[reference.Repository(name)] = true
	}
	return in
}

// canonical returns one form for all spellings of a name. What is no reference
// is left as it is and equals only itself: no runtime could have pulled it.
func canonical(name string) string {
	if ref, _, err := reference.Normalise(name); err == nil {
		return ref
	}
	return name
}

// verdict is what to do with an image: remove it, if that is the result.
type verdict struct {
	result  cri.Result
	message string
}

// decide tells what to do with an image. Removing it takes all its names away
// at once, from under whoever uses them, so each reason to keep it is enough.
// The reasons that no waiting helps against come first.
func decide(img image, in intent, uses []use) verdict {
	if img.pinned {
		return verdict{cri.Pinned, "the node's container runtime has it pinned"}
	}
	if reason := in.protects(img); reason != "" {
		return verdict{cri.Shared, reason}
	}
	for _, u := range uses {
		if u.needs(img) {
			return verdict{cri.InUse, "used by " + u.by}
		}
	}
	return verdict{result: cri.Removed}
}

// protects returns which name keeps the image, "" if none does.
func (in intent) protects(img image) string {
	going := in.goingRepos(img)
	for _, name := range img.names {
		if in.wants(canonical(name), going) {
			return fmt.Sprintf("%s is wanted and is the same image", name)
		}
	}
	for _, name := range img.names {
		if !in.otherNames && !in.mayGo(canonical(name), going) {
			return fmt.Sprintf("%s is the same image, and nobody asked to remove that", name)
		}
	}
	return ""
}

// goingRepos returns the repositories of the image's names that are to go.
func (in intent) goingRepos(img image) map[string]bool {
	repos := map[string]bool{}
	for _, name := range img.names {
		if name = canonical(name); in.remove[name] {
			repos[reference.Repository(name)] = true
		}
	}
	return repos
}

// wants tells whether the name is to be kept. A digest in the repository of a
// kept name may be all that is left of that name, unless the image has another
// name there that is to go: app:1 goes, with its digest, though app:2 stays.
func (in intent) wants(name string, going map[string]bool) bool {
	repository := reference.Repository(name)
	return in.keep[name] || isDigest(name) && in.keepRepos[repository] && !going[repository]
}

// mayGo tells whether the removal of the name was asked for. A digest comes
// with every pull by tag, so it goes with any name of its repository.
func (in intent) mayGo(name string, going map[string]bool) bool {
	return in.remove[name] || isDigest(name) && going[reference.Repository(name)]
}

func isDigest(name string) bool { return strings.Contains(name, "@") }

// needs tells whether the use is of the image, by its ID or by a name that it
// has now: a container that starts again looks for that name.
func (u use) needs(img image) bool {
	for _, known := range u.images {
		if known != "" && (bareID(known) == bareID(img.id) || img.has(canonical(known))) {
			return true
		}
	}
	return false
}

// has tells whether the image has that canonical name.
func (i image) has(name string) bool {
	for _, own := range i.names {
		if canonical(own) == name {
			return true
		}
	}
	return false
}

// bareID is an ID without its algorithm: containerd writes sha256:0a1b…, CRI-O
// only 0a1b….
func bareID(id string) string { return strings.TrimPrefix(id, "sha256:") }
