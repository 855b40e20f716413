package registry

import "testing"

func TestFirstMatch(t *testing.T) {
	t.Parallel()
	rules := []Rule{
		{Repository: "team/app", Status: 500},
		{Repository: "team-*/app", Status: 501},
		{Repository: "team", Status: 502},
		{Repository: "*", Status: 503},
	}
	for repository, want := range map[string]int{
		"team/app":     500,
		"team/app/sub": 500,
		"team-a/app":   501,
		"team-a/other": 503,
		"team/other":   502,
		"teams/app":    503,
		"anything":     503,
	} {
		if got := firstMatch(rules, repository).Status; got != want {
			t.Errorf("%s: rule %d, want %d", repository, got, want)
		}
	}
	if got := firstMatch(nil, "x"); got != (Rule{}) {
		t.Errorf("no rules: %+v", got)
	}
}

func TestRepositoryOf(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/v2/":                            "",
		"/v2/_catalog":                    "",
		"/v2/app/manifests/1":             "app",
		"/v2/a/b/c/blobs/sha256:1":        "a/b/c",
		"/v2/a/tags/list":                 "a",
		"/v2/blobs/manifests/manifests/x": "blobs/manifests",
		"/other":                          "",
	} {
		if got := repositoryOf(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
