package reference

import (
	"strings"
	"testing"
)

// hostile are references that somebody might try.
var hostile = []string{
	"", "nginx", "-v", "--help", "$(touch /pwned)", "`id`", "a;b", "a b", "a\x00b", "a\nb", "../../etc/passwd", "https://a/b",
	"a/b:c@" + sha, "UPPER/case", "[::1]:5/a", "a_b.com/x", hex, "a:", "@", "://", "user:password@registry.example/app",
	"registry.example:99999999/app", "ｎｇｉｎｘ", "docker.io/library/nginx:1@sha256:00", strings.Repeat("a/", 300) + "b",
}

// A name that is accepted becomes an argument, an annotation and a part of log
// lines: nothing in it may mean anything to any of them.
func FuzzNormalisedNamesAreHarmless(f *testing.F) {
	for _, name := range hostile {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		ref, _, err := Normalise(name)
		if err != nil {
			return
		}
		if strings.HasPrefix(ref, "-") || strings.Trim(ref, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-:/@[]") != "" ||
			strings.ContainsFunc(ref, func(r rune) bool { return !allowed(r) }) {
			t.Errorf("%q became %q", name, ref)
		}
		if host := Registry(ref); host == "" || strings.ContainsAny(host, "/@") {
			t.Errorf("%q has the registry %q", ref, host)
		}
	})
}

// All spellings of one image are one image.
func FuzzSpellings(f *testing.F) {
	for _, name := range hostile {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		ref, _, err := Normalise(name)
		if err != nil {
			return
		}
		spellings := []string{ref, strings.TrimPrefix(ref, "docker.io/"), strings.TrimSuffix(ref, ":latest")}
		if rest, found := strings.CutPrefix(ref, "docker.io/"); found {
			spellings = append(spellings, "index.docker.io/"+rest)
		}
		for _, spelling := range spellings {
			again, _, err := Normalise(spelling)
			// Without docker.io/ a first part may read as a registry or an ID.
			if spelling != ref && (err != nil || Registry(again) != Registry(ref)) {
				continue
			}
			if again != ref || err != nil {
				t.Errorf("%q is %q, but %q is %q (%v)", name, ref, spelling, again, err)
			}
		}
	})
}
