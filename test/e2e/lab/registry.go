package lab

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"time"
)

// Registry is the cluster's registry, seen through its administrators' port.
type Registry struct{ Address string }

// What a Rule can be restricted to.
const (
	Manifests = "manifests"
	Blobs     = "blobs"
)

// Rule changes how pulls of a repository are answered; the fields are those of
// the local registry, and test/cluster/README.md says what each one does.
type Rule struct {
	Repository string `json:"repository"`
	// Kind is Manifests or Blobs, "" for both.
	Kind           string `json:"kind,omitempty"`
	BytesPerSecond int64  `json:"bytesPerSecond,omitempty"`
	User           string `json:"user,omitempty"`
	Password       string `json:"password,omitempty"`
	Delay          Delay  `json:"delay,omitempty"`

	// What follows are faults, of which a rule has one at most. Bytes count
	// from a blob's beginning, and blobs that are not longer come whole.
	Status             int   `json:"status,omitempty"`
	RetryAfter         int   `json:"retryAfter,omitempty"` // seconds
	Redirect           bool  `json:"redirect,omitempty"`   // to itself, for ever
	StallAfterBytes    int64 `json:"stallAfterBytes,omitempty"`
	TruncateAfterBytes int64 `json:"truncateAfterBytes,omitempty"`
	CorruptAfterBytes  int64 `json:"corruptAfterBytes,omitempty"`
	// Times is how many requests meet the fault, 0 for all. containerd makes
	// several in one pull: five for a 429, four for a truncated blob.
	Times int `json:"times,omitempty"`
}

// Delay passes before an answer.
type Delay time.Duration

// MarshalText writes the delay as the registry reads it, such as "1m30s".
func (d Delay) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// Request is one answered request of the access log.
type Request struct {
	Time   time.Time `json:"time"`
	Remote string    `json:"remote"`
	Method string    `json:"method"`
	Path   string    `json:"path"`
	// Status is 499 for a client that left before it was answered.
	Status int `json:"status"`
	// Bytes of the body that were sent.
	Bytes int64 `json:"bytes"`
	// Fault is what a rule did to the answer: status, redirect, stall,
	// truncate, corrupt, or nothing.
	Fault string `json:"fault"`
}

// Client is the address of the node that asked.
func (r Request) Client() string {
	host, _, _ := strings.Cut(r.Remote, ":")
	return host
}

// Blob is the digest of the blob that was fetched, "" for another request.
func (r Request) Blob() string {
	_, digest, found := strings.Cut(r.Path, "/blobs/")
	if !found || r.Method != http.MethodGet || r.Status >= http.StatusMultipleChoices {
		return ""
	}
	return digest
}

// SetRules replaces all rules.
func (g *Registry) SetRules(ctx context.Context, rules ...Rule) error {
	if rules == nil {
		rules = []Rule{}
	}
	body, err := json.Marshal(rules)
	if err != nil {
		return err
	}
	_, err = g.send(ctx, http.MethodPut, "/rules", "application/json", body)
	return err
}

// Log returns the requests about repositories that begin so, from a time on.
func (g *Registry) Log(ctx context.Context, repository string, since time.Time) ([]Request, error) {
	query := url.Values{"since": {since.Format(time.RFC3339Nano)}}
	body, err := g.send(ctx, http.MethodGet, "/log?"+query.Encode(), "", nil)
	if err != nil {
		return nil, err
	}
	var all, matching []Request
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, err
	}
	for _, request := range all {
		if strings.HasPrefix(request.Path, "/v2/"+repository) {
			matching = append(matching, request)
		}
	}
	return matching, nil
}

// Has tells whether the registry holds repository:tag.
func (g *Registry) Has(ctx context.Context, repository, tag string) bool {
	_, err := g.send(ctx, http.MethodGet, "/v2/"+repository+"/manifests/"+tag, "", nil)
	return err == nil
}

const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar"
)

type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int    `json:"size"`
}

// PushBare pushes an image that holds one text file and nothing to run: no
// entrypoint, no command, no shell.
func (g *Registry) PushBare(ctx context.Context, repository, tag string) error {
	layer, err := oneFile("README", []byte("This image holds data only: "+repository+".\n"))
	if err != nil {
		return err
	}
	diff, err := g.pushBlob(ctx, repository, layerType, layer)
	if err != nil {
		return err
	}
	config, err := g.pushBlob(ctx, repository, configType, fmt.Appendf(nil,
		`{"architecture":%q,"os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[%q]}}`, runtime.GOARCH, diff.Digest))
	if err != nil {
		return err
	}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "config": config, "layers": []descriptor{diff},
	})
	if err != nil {
		return err
	}
	_, err = g.send(ctx, http.MethodPut, "/v2/"+repository+"/manifests/"+tag, manifestType, manifest)
	return err
}

func oneFile(name string, content []byte) ([]byte, error) {
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	if err := writer.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
		return nil, err
	}
	if _, err := writer.Write(content); err != nil {
		return nil, err
	}
	return archive.Bytes(), writer.Close()
}

// pushBlob uploads in the two steps of the distribution specification.
func (g *Registry) pushBlob(ctx context.Context, repository, mediaType string, content []byte) (descriptor, error) {
	blob := descriptor{mediaType, fmt.Sprintf("sha256:%x", sha256.Sum256(content)), len(content)}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+g.Address+"/v2/"+repository+"/blobs/uploads/", nil)
	if err != nil {
		return blob, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return blob, err
	}
	defer response.Body.Close()
	upload, err := response.Location()
	if err != nil {
		return blob, fmt.Errorf("begin an upload: %s: %w", response.Status, err)
	}
	query := upload.Query()
	query.Set("digest", blob.Digest)
	_, err = g.send(ctx, http.MethodPut, upload.Path+"?"+query.Encode(), "application/octet-stream", content)
	return blob, err
}

func (g *Registry) send(ctx context.Context, method, path, contentType string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+g.Address+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Accept", manifestType)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("%s %s: %s: %s", method, path, response.Status, answer)
	}
	return answer, err
}
