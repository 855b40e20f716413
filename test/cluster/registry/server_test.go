package registry

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// fixture is a registry that can be started again on the same content.
type fixture struct {
	t      *testing.T
	dir    string
	server *Server
	host   string
	admin  string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: t.TempDir()}
	f.start()
	return f
}

func (f *fixture) start() {
	f.t.Helper()
	server, err := NewServer(f.t.Context(), f.dir)
	if err != nil {
		f.t.Fatal(err)
	}
	f.server = server
	f.host = f.serve(server)
	f.admin = "http://" + f.serve(server.Admin())
}

func (f *fixture) serve(handler http.Handler) string {
	web := httptest.NewServer(handler)
	f.t.Cleanup(web.Close)
	parsed, err := url.Parse(web.URL)
	if err != nil {
		f.t.Fatal(err)
	}
	return parsed.Host
}

func (f *fixture) reference(repository string) name.Reference {
	f.t.Helper()
	reference, err := name.ParseReference(f.host+"/"+repository+":1", name.Insecure)
	if err != nil {
		f.t.Fatal(err)
	}
	return reference
}

// push pushes an image of one layer without rules or log, as images push does.
func (f *fixture) push(repository string, size int64) v1.Image {
	f.t.Helper()
	image, err := random.Image(size, 1)
	if err != nil {
		f.t.Fatal(err)
	}
	host := strings.TrimPrefix(f.admin, "http://")
	reference, err := name.ParseReference(host+"/"+repository+":1", name.Insecure)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := remote.Write(reference, image); err != nil {
		f.t.Fatal(err)
	}
	return image
}

// do sends a request and returns the answer, whose body has been read.
func (f *fixture) do(method, url, body string) (*http.Response, string) {
	f.t.Helper()
	request, err := http.NewRequestWithContext(f.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		f.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return response, string(content)
}

func (f *fixture) setRules(rules string) {
	f.t.Helper()
	if response, text := f.do(http.MethodPut, f.admin+"/rules", rules); response.StatusCode != http.StatusNoContent {
		f.t.Fatalf("rules are answered with %s: %s", response.Status, text)
	}
}

func (f *fixture) log(query string) []Entry {
	f.t.Helper()
	_, text := f.do(http.MethodGet, f.admin+"/log"+query, "")
	var entries []Entry
	if err := json.Unmarshal([]byte(text), &entries); err != nil {
		f.t.Fatal(err)
	}
	return entries
}

func TestContentRulesAndLogSurviveARestart(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	image := f.push("team/app", 100)
	f.setRules(`[{"repository":"other","status":503}]`)
	if _, err := remote.Head(f.reference("team/app")); err != nil {
		t.Fatal(err)
	}
	f.start()
	pulled, err := remote.Image(f.reference("team/app"))
	if err != nil {
		t.Fatal(err)
	}
	want, _ := image.Digest()
	if got, _ := pulled.Digest(); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
	if rules := f.server.rules.Load().rules; len(rules) != 1 || rules[0].Status != 503 {
		t.Errorf("rules %+v", rules)
	}
	if entries := f.log(""); len(entries) == 0 || entries[0].Method != http.MethodGet {
		t.Errorf("log %+v", entries)
	}
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.push("private/app", 100)
	f.setRules(`[{"repository":"private","user":"u","password":"p"}]`)
	manifest := "/v2/private/app/manifests/1"
	response, _ := f.do(http.MethodGet, "http://"+f.host+manifest, "")
	if response.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(response.Header.Get("WWW-Authenticate"), "Basic ") {
		t.Errorf("without a password: %s, %q", response.Status, response.Header)
	}
	if response, _ := f.do(http.MethodHead, "http://u:wrong@"+f.host+manifest, ""); response.StatusCode != http.StatusUnauthorized {
		t.Errorf("with a wrong password: %s", response.Status)
	}
	if response, _ := f.do(http.MethodGet, "http://u:p@"+f.host+"/v2/private/app/tags/list", ""); response.StatusCode != http.StatusOK {
		t.Errorf("with the password: %s", response.Status)
	}
	var users []string
	for _, entry := range f.log("") {
		users = append(users, entry.User)
	}
	if diff := cmp.Diff([]string{"", "", "u"}, users); diff != "" {
		t.Errorf("users in the log (-want +got):\n%s", diff)
	}
}

func TestStatusAndRetryAfter(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.setRules(`[{"repository":"a/*","status":429,"retryAfter":7},{"repository":"*"}]`)
	response, _ := f.do(http.MethodGet, "http://"+f.host+"/v2/a/b/manifests/1?ns=quay.io", "")
	if response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") != "7" {
		t.Errorf("%s, %q", response.Status, response.Header)
	}
	if response, _ := f.do(http.MethodGet, "http://"+f.host+"/v2/", ""); response.StatusCode != http.StatusOK {
		t.Errorf("/v2/ must not be subject to rules: %s", response.Status)
	}
	if entry := f.log("")[0]; entry.Status != 429 || entry.Namespace != "quay.io" || entry.Path != "/v2/a/b/manifests/1" {
		t.Errorf("log entry %+v", entry)
	}
}

func TestBytesPerSecond(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	image := f.push("slow/app", 100_000)
	f.setRules(`[{"repository":"slow","bytesPerSecond":200000}]`)
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := layers[0].Digest()
	if err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	_, content := f.do(http.MethodGet, "http://"+f.host+"/v2/slow/app/blobs/"+digest.String(), "")
	if elapsed := time.Since(started); elapsed < 400*time.Millisecond || elapsed > 3*time.Second {
		t.Errorf("%d bytes took %s", len(content), elapsed)
	}
	size, _ := layers[0].Size()
	if entries := f.log(""); entries[0].Bytes != size || int64(len(content)) != size {
		t.Errorf("%d bytes were read and %d logged of %d", len(content), entries[0].Bytes, size)
	}
}

func TestLogSinceAndClear(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.do(http.MethodGet, "http://"+f.host+"/v2/", "")
	later := time.Now()
	f.do(http.MethodGet, "http://"+f.host+"/v2/x/manifests/1", "")
	entries := f.log("?since=" + url.QueryEscape(later.Format(time.RFC3339Nano)))
	if len(entries) != 1 || entries[0].Status != http.StatusNotFound {
		t.Errorf("since %s: %+v", later, entries)
	}
	f.do(http.MethodDelete, f.admin+"/log", "")
	if entries := f.log(""); entries == nil || len(entries) != 0 {
		t.Errorf("after clearing: %+v", entries)
	}
	if response, _ := f.do(http.MethodGet, f.admin+"/log?since=yesterday", ""); response.StatusCode != http.StatusBadRequest {
		t.Errorf("a time that is none: %s", response.Status)
	}
}

func TestWrongRulesAreRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, rules := range []string{
		`{}`, `[{"repositry":"x"}]`, `[{"repository":"["}]`, `[{"status":42}]`, `[{"bytesPerSecond":-1}]`, `[{"delay":3}]`, `[{"delay":"x"}]`,
		`[{"kind":"tags"}]`, `[{"times":1}]`, `[{"status":500,"times":-1}]`, `[{"stallAfterBytes":-1}]`, `[{"truncateAfterBytes":-1}]`, `[{"corruptAfterBytes":-1}]`,
		`[{"status":500,"redirect":true}]`, `[{"stallAfterBytes":1,"corruptAfterBytes":1}]`, `[{"kind":"manifests","truncateAfterBytes":1}]`,
	} {
		if response, _ := f.do(http.MethodPut, f.admin+"/rules", rules); response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s is answered with %s", rules, response.Status)
		}
	}
}

func TestDelayEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if sleep(ctx, time.Hour) {
		t.Error("slept for an hour")
	}
}
