package lab

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestRulesAreWrittenAsTheRegistryReadsThem(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = r.Method + " " + r.URL.Path + " " + string(body)
	}))
	defer server.Close()
	registry := &Registry{Address: strings.TrimPrefix(server.URL, "http://")}
	for want, rules := range map[string][]Rule{
		`[]`: nil,
		`[{"repository":"a","kind":"manifests","status":429,"retryAfter":1,"times":2}]`: {
			{Repository: "a", Kind: Manifests, Status: 429, RetryAfter: 1, Times: 2},
		},
		`[{"repository":"a","delay":"1m30s","stallAfterBytes":1},{"repository":"b","truncateAfterBytes":2}]`: {
			{Repository: "a", Delay: Delay(90 * time.Second), StallAfterBytes: 1}, {Repository: "b", TruncateAfterBytes: 2},
		},
		`[{"repository":"a","kind":"blobs","corruptAfterBytes":3},{"repository":"a","redirect":true}]`: {
			{Repository: "a", Kind: Blobs, CorruptAfterBytes: 3}, {Repository: "a", Redirect: true},
		},
	} {
		if err := registry.SetRules(t.Context(), rules...); err != nil || got != "PUT /rules "+want {
			t.Errorf("%s (%v), want %s", got, err, want)
		}
	}
}

func TestLogTellsFaults(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `[{"method":"GET","path":"/v2/a/blobs/sha256:1","status":200,"bytes":5,"fault":"truncate"},{"path":"/v2/b/"}]`)
	}))
	defer server.Close()
	registry := &Registry{Address: strings.TrimPrefix(server.URL, "http://")}
	requests, err := registry.Log(t.Context(), "a/", time.Time{})
	if err != nil || len(requests) != 1 || requests[0].Fault != "truncate" || requests[0].Bytes != 5 {
		t.Errorf("requests %+v, error %v", requests, err)
	}
}
