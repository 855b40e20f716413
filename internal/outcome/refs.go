package outcome

import (
	"regexp"
	"strings"

	"github.com/distribution/reference"
)

// ref is an image reference in the forms that messages use.
type ref struct {
	// full is the normalised reference; beside a digest the tag is dropped,
	// as containerd does before it pulls.
	full string
	// repo is the normalised name without tag and digest.
	repo string
	// domain is the registry, with its port.
	domain string
	// bare means that neither a tag nor a digest was given.
	bare bool
}

func parseRef(s string) (ref, bool) {
	named, err := reference.ParseNormalizedNamed(s)
	if err != nil {
		return ref{}, false
	}
	r := ref{repo: named.Name(), domain: reference.Domain(named), bare: reference.IsNameOnly(named)}
	if digested, ok := named.(reference.Digested); ok {
		r.full = r.repo + "@" + digested.Digest().String()
	} else {
		r.full = reference.TagNameOnly(named).String()
	}
	return r, true
}

// token is a word of a message that may be a reference.
type token struct {
	text       string
	start, end int
	quoted     bool
}

var word = regexp.MustCompile("[^\\s\"'`\\\\()\\[\\]<>{},;=]+")

func tokens(message string) []token {
	var all []token
	for _, at := range word.FindAllStringIndex(message, -1) {
		text := strings.TrimRight(message[at[0]:at[1]], ":.")
		quoted := at[0] > 0 && strings.IndexByte("\"'`", message[at[0]-1]) >= 0
		all = append(all, token{text, at[0], at[0] + len(text), quoted})
	}
	return all
}

// ref returns the reference that the token is. A bare word counts only in
// quotes: any word of a sentence could be the name of an image.
func (t token) ref() (ref, bool) {
	r, ok := parseRef(strings.TrimPrefix(t.text, "docker://")) // the transport's name in CRI-O's messages
	if !ok || (r.bare && !t.quoted && !strings.Contains(t.text, "/")) {
		return ref{}, false
	}
	return r, true
}

// mention tells how exactly a message names a reference.
type mention int

const (
	notNamed mention = iota
	// repoNamed: only the repository is named, as in "pull access denied for foo/bar".
	repoNamed
	// exactlyNamed: the repository and the tag or digest.
	exactlyNamed
)

// manifestIn is how CRI-O names an image (containers/image, docker source):
// reading manifest 1.29 in docker.io/library/nginx.
var manifestIn = regexp.MustCompile(`(?i)\bmanifest (\S+) in ([^\s:,"]+(?::\d+/[^\s:,"]+)?)`)

// mentions returns how exactly message names want.
func mentions(message string, want ref) mention {
	best := notNamed
	for _, t := range tokens(message) {
		switch r, ok := t.ref(); {
		case !ok:
		case r.full == want.full && (!r.bare || t.quoted):
			return exactlyNamed
		case r.bare && r.repo == want.repo:
			best = repoNamed
		}
	}
	for _, m := range manifestIn.FindAllStringSubmatch(message, -1) {
		if joins(m[2], m[1], want) {
			return exactlyNamed
		}
	}
	return best
}

// joins tells whether name and a tag or digest make up want.
func joins(name, version string, want ref) bool {
	for _, separator := range []string{":", "@"} {
		if r, ok := parseRef(name + separator + version); ok && r.full == want.full {
			return true
		}
	}
	return false
}

// firstQuoted returns the reference that a kubelet message quotes first; that
// is the image it speaks of, whatever the runtime's error names after it.
func firstQuoted(message string) (ref, bool) {
	for _, t := range tokens(message) {
		if t.quoted {
			return t.ref()
		}
	}
	return ref{}, false
}
