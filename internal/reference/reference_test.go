package reference

import (
	"strings"
	"testing"
)

const (
	sha = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

func TestNormalise(t *testing.T) {
	for name, want := range map[string]struct {
		ref     string
		mutable bool
	}{
		"nginx":                            {"docker.io/library/nginx:latest", true},
		"nginx:latest":                     {"docker.io/library/nginx:latest", true},
		"nginx:1.29":                       {"docker.io/library/nginx:1.29", false},
		"nginx:latest-2024":                {"docker.io/library/nginx:latest-2024", false},
		"docker.io/nginx":                  {"docker.io/library/nginx:latest", true},
		"index.docker.io/nginx:1":          {"docker.io/library/nginx:1", false},
		"docker.io/library/nginx":          {"docker.io/library/nginx:latest", true},
		"bitnami/redis:6.2.5":              {"docker.io/bitnami/redis:6.2.5", false},
		"quay.io/bitnami/nginx:1.21.1":     {"quay.io/bitnami/nginx:1.21.1", false},
		"localhost/app:1":                  {"localhost/app:1", false},
		"localhost:5000/app":               {"localhost:5000/app:latest", true},
		"localhost:5000":                   {"docker.io/library/localhost:5000", false},
		"registry:5000/a/b/c:v1":           {"registry:5000/a/b/c:v1", false},
		"[fd00::1]:5000/app:1":             {"[fd00::1]:5000/app:1", false},
		"Registry.Example.com/app:1":       {"Registry.Example.com/app:1", false},
		"nginx@" + sha:                     {"docker.io/library/nginx@" + sha, false},
		"nginx:1.2@" + sha:                 {"docker.io/library/nginx@" + sha, false},
		"nginx:latest@" + sha:              {"docker.io/library/nginx@" + sha, false},
		"docker.io/library/nginx:1@" + sha: {"docker.io/library/nginx@" + sha, false},
		"docker.io/library/" + hex:         {"docker.io/library/" + hex + ":latest", true},
		"nginx:UPPER":                      {"docker.io/library/nginx:UPPER", false},
		"a__b/c-d---e.f:_x":                {"docker.io/a__b/c-d---e.f:_x", false},
	} {
		ref, mutable, err := Normalise(name)
		if err != nil || ref != want.ref || mutable != want.mutable {
			t.Errorf("Normalise(%q) = %q, %t, %v, want %q, %t", name, ref, mutable, err, want.ref, want.mutable)
		}
	}
}

// TestErrorsSayWhatIsWrong holds the words a user reads in a refusal.
func TestErrorsSayWhatIsWrong(t *testing.T) {
	for name, words := range map[string]string{
		"":                              "is empty",
		"a b":                           "no spaces",
		"nginx\n":                       "no spaces or line breaks",
		"$(touch /pwned)":               `character '$'`,
		"nginx;rm":                      `character ';'`,
		"nginx`id`":                     "character '`'",
		"ngínx":                         `character 'í'`,
		"nginx\xff":                     "not allowed",
		"https://quay.io/a/b":           `remove "https://"`,
		"UPPER/case":                    `lower case: "UPPER"`,
		"UPPER":                         `lower case: "UPPER"`,
		"quay.io/Bitnami/nginx":         `lower case: "Bitnami/nginx"`,
		"bitnami/Nginx:1":               `lower case: "bitnami/Nginx"`,
		"nginx:":                        "tag after the colon is empty",
		"nginx:-1":                      `"-1" is not a tag`,
		"nginx:1:2":                     `"1:2" is not a tag`,
		"nginx:1+2":                     `"1+2" is not a tag`,
		"nginx:" + tooLong(129):         "is not a tag",
		"@sha256:abc":                   "repository is missing",
		":latest":                       "repository is missing",
		"nginx@":                        `"" is not a digest`,
		"nginx@sha256:abc":              `"sha256:abc" is not a digest`,
		"nginx@" + strings.ToUpper(sha): "is not a digest",
		"nginx@md5:" + hex[:32]:         "is not a digest",
		hex:                             "are an image ID",
		"/nginx":                        "between slashes is empty",
		"nginx/":                        "between slashes is empty",
		"quay.io/":                      "between slashes is empty",
		"a//b":                          "between slashes is empty",
		"-nginx":                        `"-nginx" is not a repository`,
		"a..b":                          `"a..b" is not a repository`,
		"../etc/passwd":                 "is not a repository",
		"a_b.com/app":                   `"a_b.com" is not a valid registry host`,
		"[0]:5000/app":                  `"[0]:5000" is not a valid registry host`,
		"quay.io/" + tooLong(256):       "longer than 255 characters",
	} {
		ref, _, err := Normalise(name)
		switch {
		case err == nil:
			t.Errorf("Normalise(%q) = %q, want an error", name, ref)
		case !strings.Contains(err.Error(), words):
			t.Errorf("Normalise(%q): %q does not say %q", name, err, words)
		}
	}
}

func TestRegistryAndRepository(t *testing.T) {
	for ref, want := range map[string][2]string{
		"docker.io/library/nginx:1.29":   {"docker.io", "docker.io/library/nginx"},
		"docker.io/library/nginx@" + sha: {"docker.io", "docker.io/library/nginx"},
		"localhost:5000/app:latest":      {"localhost:5000", "localhost:5000/app"},
		"localhost:5000/app@" + sha:      {"localhost:5000", "localhost:5000/app"},
		"[fd00::1]:5000/app:1":           {"[fd00::1]:5000", "[fd00::1]:5000/app"},
		"":                               {"", ""},
	} {
		if got := [2]string{Registry(ref), Repository(ref)}; got != want {
			t.Errorf("Registry and Repository of %q = %q, want %q", ref, got, want)
		}
	}
}

func FuzzNormalise(f *testing.F) {
	for _, name := range []string{"", "nginx", "a/b:c@" + sha, "UPPER/case", "[::1]:5/a", "a_b.com/x", hex, "a:", "@", "://"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		ref, mutable, err := Normalise(name)
		if err != nil {
			if ref != "" || mutable || err.Error() == "" {
				t.Fatalf("Normalise(%q) = %q, %t, %v", name, ref, mutable, err)
			}
			return
		}
		again, stillMutable, err := Normalise(ref)
		if again != ref || stillMutable != mutable || err != nil {
			t.Fatalf("Normalise(%q) = %q, %t, but again %q, %t, %v", name, ref, mutable, again, stillMutable, err)
		}
		if !strings.HasPrefix(Repository(ref), Registry(ref)+"/") || !strings.HasPrefix(ref, Repository(ref)) {
			t.Fatalf("%q has registry %q and repository %q", ref, Registry(ref), Repository(ref))
		}
	})
}

func tooLong(n int) string { return strings.Repeat("a", n) }
