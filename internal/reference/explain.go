package reference

import (
	"errors"
	"fmt"
	"strings"

	"github.com/distribution/reference"
)

const expected = "expected [registry[:port]/]repository[:tag][@digest]"

// lexicalProblem names what the grammar would refuse without saying where.
func lexicalProblem(name string) string {
	if name == "" {
		return "the image name is empty: " + expected
	}
	if scheme, _, found := strings.Cut(name, "://"); found {
		return fmt.Sprintf("an image name has no scheme: remove %q", shorten(scheme)+"://")
	}
	for _, r := range name {
		switch {
		case r == ' ' || r == '\t' || r == '\n' || r == '\r':
			return "an image name holds no spaces or line breaks"
		case !allowed(r):
			return fmt.Sprintf("the character %q is not allowed in an image name", r)
		}
	}
	return ""
}

func allowed(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return true
	default:
		return strings.ContainsRune("._-+/:@[]", r)
	}
}

// badRegistry refuses hosts that the grammar lets pass and no pull can reach:
// UPPER/case, where a lower-case repository was meant, a_b.com/case, which the
// grammar takes for a repository without a registry, and [0]:5000/case.
func badRegistry(name, domain string) string {
	switch {
	case domain == "", strings.HasPrefix(domain, "[") && strings.Count(domain[:strings.IndexByte(domain, ']')], ":") == 0:
		host, _, _ := strings.Cut(name, "/")
		return fmt.Sprintf("%q is not a valid registry host", shorten(host))
	case !strings.ContainsAny(domain, ".:") && strings.ToLower(domain) != domain:
		return lowerCase(domain)
	}
	return ""
}

// explain turns the parser's error into words that name the part at fault.
func explain(name string, err error) string {
	rest, digest, hasDigest := strings.Cut(name, "@")
	switch {
	case strings.HasPrefix(name, "@") || strings.HasPrefix(name, ":"):
		return "the repository is missing: " + expected
	case errors.Is(err, reference.ErrNameTooLong):
		return fmt.Sprintf("the repository is longer than %d characters", reference.RepositoryNameTotalLengthMax)
	case hasDigest && !digestIsValid(digest):
		return fmt.Sprintf("%q is not a digest: expected sha256: and 64 digits of 0-9a-f", shorten(digest))
	case onlyHex(name):
		return "64 hexadecimal digits are an image ID, not a name: " + expected
	}
	return explainName(rest)
}

// explainName looks at what stands before the digest.
func explainName(name string) string {
	slash := strings.LastIndexByte(name, '/')
	last, tag, hasTag := strings.Cut(name[slash+1:], ":")
	repository := name[:slash+1] + last
	switch {
	case hasTag && tag == "":
		return "the tag after the colon is empty"
	case hasTag && !tagIsValid(tag):
		return fmt.Sprintf("%q is not a tag: expected up to 128 letters, digits, '_', '.' and '-', not starting with '.' or '-'", shorten(tag))
	case strings.Contains(repository, "//") || strings.HasPrefix(repository, "/") || last == "":
		return "a part of the name between slashes is empty: " + expected
	case strings.ToLower(path(repository)) != path(repository):
		return lowerCase(path(repository))
	}
	return fmt.Sprintf("%q is not a repository: %s, its parts being lower-case letters and digits separated by '.', '_', '__' or '-'", shorten(repository), expected)
}

// path is a repository without what can only be its registry.
func path(repository string) string {
	host, rest, found := strings.Cut(repository, "/")
	if found && strings.ContainsAny(host, ".:") {
		return rest
	}
	return repository
}

func lowerCase(what string) string {
	return fmt.Sprintf("a repository is written in lower case: %q is not", shorten(what))
}

func tagIsValid(tag string) bool {
	named, err := reference.WithName("a")
	if err != nil {
		return false
	}
	_, err = reference.WithTag(named, tag)
	return err == nil
}

func digestIsValid(digest string) bool {
	_, err := reference.ParseDockerRef("a@" + digest)
	return err == nil
}

func onlyHex(name string) bool {
	return len(name) == 64 && strings.Trim(name, "0123456789abcdef") == ""
}

// shorten keeps a message readable whatever somebody put into a manifest.
func shorten(s string) string {
	const longest = 80
	if len(s) <= longest {
		return s
	}
	return s[:longest] + "..."
}
