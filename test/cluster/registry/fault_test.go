package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// blob pushes an image and returns the address of its layer, and its content.
func (f *fixture) blob(repository string, size int64) (url, content string) {
	f.t.Helper()
	layers, err := f.push(repository, size).Layers()
	if err != nil {
		f.t.Fatal(err)
	}
	digest, err := layers[0].Digest()
	if err != nil {
		f.t.Fatal(err)
	}
	path := "/v2/" + repository + "/blobs/" + digest.String()
	_, content = f.do(http.MethodGet, f.admin+path, "")
	return "http://" + f.host + path, content
}

// get opens a blob from a byte on, with its answer's body yet to be read.
func (f *fixture) get(ctx context.Context, url string, from int) *http.Response {
	f.t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	if from > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

// lastEntry waits until as many requests are in the log, and returns the last.
func (f *fixture) lastEntry(count int) Entry {
	f.t.Helper()
	var entries []Entry
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if entries = f.log(""); len(entries) == count {
			return entries[count-1]
		}
	}
	f.t.Fatalf("%d entries in the log, want %d: %+v", len(entries), count, entries)
	return Entry{}
}

func TestTruncate(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	url, content := f.blob("cut/app", 100_000)
	f.setRules(`[{"repository":"cut","truncateAfterBytes":30000}]`)
	response := f.get(t.Context(), url, 0)
	read, err := io.ReadAll(response.Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) || string(read) != content[:30_000] || response.ContentLength != int64(len(content)) {
		t.Errorf("read %d of %d bytes, error %v", len(read), response.ContentLength, err)
	}
	if entry := f.lastEntry(1); entry.Status != http.StatusOK || entry.Bytes != 30_000 || entry.Fault != "truncate" {
		t.Errorf("log entry %+v", entry)
	}
	// Clients take up a broken download where it ended: it ends there again.
	again := f.get(t.Context(), url, 20_000)
	read, err = io.ReadAll(again.Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) || string(read) != content[20_000:30_000] || again.StatusCode != http.StatusPartialContent {
		t.Errorf("from 20000: %s, read %d bytes, error %v", again.Status, len(read), err)
	}
	read, err = io.ReadAll(f.get(t.Context(), url, 40_000).Body)
	if err == nil || len(read) > 0 {
		t.Errorf("from 40000: read %d bytes, error %v", len(read), err)
	}
}

func TestOtherAnswersComeWhole(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	url, content := f.blob("cut/app", 1000)
	f.setRules(fmt.Sprintf(`[{"repository":"cut","truncateAfterBytes":%d,"times":1}]`, len(content)))
	if _, read := f.do(http.MethodGet, url, ""); read != content {
		t.Errorf("read %d bytes of a blob as long as the limit, want %d", len(read), len(content))
	}
	if response, _ := f.do(http.MethodHead, url, ""); response.StatusCode != http.StatusOK || response.ContentLength != int64(len(content)) {
		t.Errorf("asked without content: %s, %d bytes", response.Status, response.ContentLength)
	}
	f.setRules(fmt.Sprintf(`[{"repository":"cut","corruptAfterBytes":%d}]`, len(content)))
	if _, read := f.do(http.MethodGet, url, ""); read != content {
		t.Error("a blob as long as the limit is corrupted")
	}
	f.setRules(`[{"repository":"cut","truncateAfterBytes":1}]`)
	if _, err := remote.Get(f.reference("cut/app")); err != nil {
		t.Errorf("the manifest: %v", err)
	}
	missing := url[:strings.LastIndex(url, ":")+1] + strings.Repeat("0", 64)
	if response, text := f.do(http.MethodGet, missing, ""); response.StatusCode != http.StatusNotFound || !strings.Contains(text, "BLOB_UNKNOWN") {
		t.Errorf("a blob that is not there: %s: %s", response.Status, text)
	}
	for _, entry := range f.log("") {
		if entry.Fault != "" {
			t.Errorf("log entry %+v", entry)
		}
	}
}

func TestCorrupt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	url, content := f.blob("bad/app", 10_000)
	f.setRules(`[{"repository":"bad","corruptAfterBytes":10}]`)
	response, read := f.do(http.MethodGet, url, "")
	if response.StatusCode != http.StatusOK || response.ContentLength != int64(len(content)) || len(read) != len(content) {
		t.Fatalf("%s, %d of %d bytes", response.Status, len(read), len(content))
	}
	for index := range len(content) {
		if changed := read[index] != content[index]; changed != (index%4096 == 10) {
			t.Fatalf("byte %d is changed: %t", index, changed)
		}
	}
	part, err := io.ReadAll(f.get(t.Context(), url, 4000).Body)
	if err != nil || !bytes.Equal(part, []byte(read)[4000:]) {
		t.Errorf("a part differs from the same part of the whole, error %v", err)
	}
	if entry := f.lastEntry(2); entry.Status != http.StatusPartialContent || entry.Bytes != int64(len(part)) || entry.Fault != "corrupt" {
		t.Errorf("log entry %+v", entry)
	}
	f.setRules(`[{"repository":"bad","corruptAfterBytes":1}]`)
	image, err := remote.Image(f.reference("bad/app"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = image.RawConfigFile(); err == nil || !strings.Contains(err.Error(), "sha256") {
		t.Errorf("a client that compares digests says %v", err)
	}
}

func TestStallGoesOnWhenTheRuleIsChanged(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	url, content := f.blob("hang/app", 100_000)
	f.setRules(`[{"repository":"hang","stallAfterBytes":30000}]`)
	body := f.get(t.Context(), url, 0).Body
	first := make([]byte, 30_000)
	if _, err := io.ReadFull(body, first); err != nil || string(first) != content[:30_000] {
		t.Fatalf("the first part: %v", err)
	}
	rest := make(chan string)
	go func() {
		read, _ := io.ReadAll(body)
		rest <- string(read)
	}()
	quiet := func() {
		t.Helper()
		select {
		case read := <-rest:
			t.Fatalf("%d bytes more while the rule is in force", len(read))
		case <-time.After(200 * time.Millisecond):
		}
	}
	quiet()
	// The rule still is the first one that matches.
	f.setRules(`[{"repository":"other","status":500},{"repository":"hang","stallAfterBytes":30000}]`)
	quiet()
	if entries := f.log(""); len(entries) > 0 {
		t.Errorf("in the log before it has ended: %+v", entries)
	}
	f.setRules(`[]`)
	if read := <-rest; read != content[30_000:] {
		t.Errorf("%d bytes after the rule is gone, want %d", len(read), len(content)-30_000)
	}
	if entry := f.lastEntry(1); entry.Bytes != int64(len(content)) || entry.Fault != "stall" || time.Duration(entry.Duration) < 200*time.Millisecond {
		t.Errorf("log entry %+v", entry)
	}
}

func TestStallEndsWithTheClient(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	url, _ := f.blob("hang/app", 100_000)
	f.setRules(`[{"repository":"hang","stallAfterBytes":1}]`)
	ctx, leave := context.WithCancel(t.Context())
	response := f.get(ctx, url, 0)
	if _, err := response.Body.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	leave()
	if entry := f.lastEntry(1); entry.Status != http.StatusOK || entry.Bytes != 1 {
		t.Errorf("log entry %+v", entry)
	}
}

func TestStallHasAnEnd(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.server.stallLimit = 50 * time.Millisecond
	url, _ := f.blob("hang/app", 100_000)
	f.setRules(`[{"repository":"hang","stallAfterBytes":10}]`)
	read, err := io.ReadAll(f.get(t.Context(), url, 0).Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) || len(read) != 10 {
		t.Errorf("read %d bytes, error %v", len(read), err)
	}
}

func TestStallLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rule := Rule{StallAfterBytes: 1}
		server := &Server{stallLimit: stallLimit}
		server.rules.Store(newRuleSet([]Rule{rule}))
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/v2/a/blobs/sha256:1", nil)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := server.stall(request, rule); !errors.Is(err, errCut) || time.Since(began) != 15*time.Minute {
			t.Errorf("error %v after %s", err, time.Since(began))
		}
	})
}

func TestRedirectToItself(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.push("loop/app", 100)
	f.setRules(`[{"repository":"loop","kind":"manifests","redirect":true}]`)
	url := "http://" + f.host + "/v2/loop/app/manifests/1?ns=quay.io"
	response, err := http.DefaultTransport.RoundTrip(mustRequest(t, http.MethodGet, url))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	location, err := response.Location()
	if response.StatusCode != http.StatusTemporaryRedirect || err != nil || location.String() != url {
		t.Errorf("%s to %s, want to %s (%v)", response.Status, location, url, err)
	}
	if entry := f.lastEntry(1); entry.Status != http.StatusTemporaryRedirect || entry.Fault != "redirect" || entry.Bytes == 0 {
		t.Errorf("log entry %+v", entry)
	}
	if _, err := http.DefaultClient.Do(mustRequest(t, http.MethodHead, url)); err == nil || !strings.Contains(err.Error(), "10 redirects") {
		t.Errorf("a client that follows: %v", err)
	}
	entries := f.log("")
	if len(entries) != 11 || entries[10].Method != http.MethodHead || entries[10].Bytes != 0 {
		t.Errorf("%d entries, the last: %+v", len(entries), entries[len(entries)-1])
	}
}

func mustRequest(t *testing.T, method, url string) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return request
}

func TestTimes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	url, content := f.blob("busy/app", 1000)
	rules := `[{"repository":"busy","kind":"blobs","status":429,"retryAfter":1,"times":2}]`
	f.setRules(rules)
	// Another kind of content is not counted.
	if _, err := remote.Get(f.reference("busy/app")); err != nil {
		t.Fatal(err)
	}
	for attempt, want := range []int{429, 429, 200, 200} {
		response, text := f.do(http.MethodGet, url, "")
		if response.StatusCode != want || (want == 200) != (text == content) || (want == 429) != (response.Header.Get("Retry-After") == "1") {
			t.Errorf("request %d: %s, %q, %d bytes", attempt, response.Status, response.Header, len(text))
		}
	}
	f.setRules(rules)
	if response, _ := f.do(http.MethodGet, url, ""); response.StatusCode != http.StatusTooManyRequests {
		t.Errorf("after the rules are set again: %s", response.Status)
	}
}

func TestTimesCountsFaultsOnly(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	url, content := f.blob("cut/app", 100_000)
	f.setRules(`[{"repository":"cut","truncateAfterBytes":30000,"times":1,"user":"u","password":"p"}]`)
	if response, _ := f.do(http.MethodGet, url, ""); response.StatusCode != http.StatusUnauthorized {
		t.Errorf("without the password: %s", response.Status)
	}
	withPassword := strings.Replace(url, "http://", "http://u:p@", 1)
	f.do(http.MethodHead, withPassword, "")
	if read, err := io.ReadAll(f.get(t.Context(), withPassword, 0).Body); err == nil || len(read) != 30_000 {
		t.Errorf("the first time: %d bytes, error %v", len(read), err)
	}
	if rest, err := io.ReadAll(f.get(t.Context(), withPassword, 30_000).Body); err != nil || string(rest) != content[30_000:] {
		t.Errorf("taken up again: %d bytes, error %v", len(rest), err)
	}
}

func TestCorruptTimes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	url, content := f.blob("bad/app", 10_000)
	f.setRules(`[{"repository":"bad","corruptAfterBytes":1,"times":1}]`)
	if _, read := f.do(http.MethodGet, url, ""); read == content {
		t.Error("the first answer is right")
	}
	if _, read := f.do(http.MethodGet, url, ""); read != content {
		t.Error("the second answer is wrong")
	}
}

func TestClientsThatLeaveAreLogged(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.setRules(`[{"repository":"*","delay":"1h"}]`)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	request := mustRequest(t, http.MethodGet, "http://"+f.host+"/v2/a/manifests/1").WithContext(ctx)
	if response, err := http.DefaultClient.Do(request); err == nil {
		t.Errorf("answered with %s", response.Status)
	}
	if entry := f.lastEntry(1); entry.Status != statusClientGone || entry.Bytes != 0 {
		t.Errorf("log entry %+v", entry)
	}
}
