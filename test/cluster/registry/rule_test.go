package registry

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestJudge(t *testing.T) {
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
		if got := judge(rules, http.MethodGet, "/v2/"+repository+"/tags/list").Status; got != want {
			t.Errorf("%s: rule %d, want %d", repository, got, want)
		}
	}
	if got := judge(nil, http.MethodGet, "/v2/x/manifests/1"); got != (Rule{}) {
		t.Errorf("no rules: %+v", got)
	}
}

func judge(rules []Rule, method, path string) Rule {
	return newRuleSet(rules).judge(httptest.NewRequest(method, path, nil)).Rule
}

func TestJudgeByKind(t *testing.T) {
	t.Parallel()
	rules := []Rule{{Kind: Manifests, Status: 500}, {Kind: Blobs, Status: 501}, {Status: 502}}
	for path, want := range map[string]int{
		"/v2/app/manifests/1":       500,
		"/v2/app/blobs/sha256:1":    501,
		"/v2/app/tags/list":         502,
		"/v2/app/referrers/sha256:": 502,
		"/v2/":                      0,
	} {
		if got := judge(rules, http.MethodGet, path).Status; got != want {
			t.Errorf("%s: rule %d, want %d", path, got, want)
		}
	}
	if got := judge(rules, http.MethodPut, "/v2/app/manifests/1").Status; got != 0 {
		t.Errorf("a push meets rule %d", got)
	}
}

func TestTarget(t *testing.T) {
	t.Parallel()
	for path, want := range map[string][2]string{
		"/v2/":                            {"", ""},
		"/v2/_catalog":                    {"", ""},
		"/v2/app/manifests/1":             {"app", Manifests},
		"/v2/a/b/c/blobs/sha256:1":        {"a/b/c", Blobs},
		"/v2/a/tags/list":                 {"a", "tags"},
		"/v2/blobs/manifests/manifests/x": {"blobs/manifests", Manifests},
		"/other":                          {"", ""},
	} {
		if repository, kind := target(path); repository != want[0] || kind != want[1] {
			t.Errorf("%s: %q and %q, want %q", path, repository, kind, want)
		}
	}
}
