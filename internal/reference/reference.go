// Package reference reads image references as a node's kubelet and container
// runtime read them, so that one image has one name here however it is written.
package reference

import (
	_ "crypto/sha256" // the digest algorithms a reference may use,
	_ "crypto/sha512" // which go-digest knows only when they are linked in
	"errors"
	"strings"

	"github.com/distribution/reference"
)

// Normalise returns the name under which a container runtime files an image:
// with registry and tag, or with registry and digest. Where both tag and digest
// are given the digest decides and the tag is dropped, as runtimes do it; so
// nginx:1.2@sha256:X and docker.io/library/nginx@sha256:X are one image.
//
// mutable is true when the reference may mean another image tomorrow and is
// therefore pulled anew by default: it has no digest, and no tag or tag latest.
//
// An error says what is wrong in words for the user who wrote the name, and
// does not repeat the name.
func Normalise(name string) (ref string, mutable bool, err error) {
	if problem := lexicalProblem(name); problem != "" {
		return "", false, errors.New(problem)
	}
	named, err := reference.ParseDockerRef(name)
	if err != nil {
		return "", false, errors.New(explain(name, err))
	}
	if problem := badRegistry(name, reference.Domain(named)); problem != "" {
		return "", false, errors.New(problem)
	}
	tagged, ok := named.(reference.Tagged)
	return named.String(), ok && tagged.Tag() == "latest", nil
}

// Registry returns the registry of a normalised reference, for example
// docker.io or localhost:5000.
func Registry(ref string) string {
	registry, _, _ := strings.Cut(ref, "/")
	return registry
}

// Repository returns a normalised reference without its tag and digest, for
// example docker.io/library/nginx.
func Repository(ref string) string {
	ref, _, _ = strings.Cut(ref, "@")
	if colon := strings.LastIndexByte(ref, ':'); colon > strings.LastIndexByte(ref, '/') {
		return ref[:colon]
	}
	return ref
}
