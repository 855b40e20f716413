package lab

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// runtimeStub serves one answer per method on a socket, as gRPC.
func runtimeStub(t *testing.T, answers map[string][]byte) *Runtime {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "cri.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Protocols: protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		answer, known := answers[strings.TrimPrefix(r.URL.Path, "/runtime.v1.ImageService/")]
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
		if !known {
			w.Header().Set("Grpc-Status", "5")
			w.Header().Set("Grpc-Message", "100%25 missing")
			return
		}
		_, _ = w.Write(append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(answer))), answer...))
		w.Header().Set("Grpc-Status", "0")
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return NewRuntime(socket)
}

func TestImages(t *testing.T) {
	image := appendField(nil, 1, []byte("sha256:1"))
	image = appendField(image, 2, []byte("quay.io/team/app:1"))
	image = appendField(image, 3, []byte("quay.io/team/app@sha256:2"))
	image = binary.AppendUvarint(binary.AppendUvarint(image, 4<<3), 1234)
	runtime := runtimeStub(t, map[string][]byte{"ListImages": appendField(nil, 1, image)})

	images, err := runtime.Images(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(images) != 1 || images[0].Size != 1234 || images[0].ID != "sha256:1" || len(images[0].Names) != 2 {
		t.Errorf("images %+v", images)
	}
	missing, err := runtime.Missing(t.Context(), "quay.io/team/app:1", "quay.io/team/app:2")
	if err != nil || !slices.Equal(missing, []string{"quay.io/team/app:2"}) {
		t.Errorf("missing %v, error %v", missing, err)
	}
}

func TestErrorsOfTheRuntime(t *testing.T) {
	err := runtimeStub(t, nil).Pull(t.Context(), "quay.io/team/app:1")
	if err == nil || !strings.Contains(err.Error(), "100% missing") {
		t.Errorf("error %v", err)
	}
}

func TestParseRefusesWhatIsCutShort(t *testing.T) {
	whole := appendField(nil, 1, []byte("content"))
	for end := 1; end < len(whole); end++ {
		if _, err := parse(whole[:end]); err == nil {
			t.Errorf("no error for %d of %d bytes", end, len(whole))
		}
	}
}

func TestPollTellsWhatWasSeenLast(t *testing.T) {
	err := Poll(t.Context(), "rain", pollInterval/2, func(context.Context) (bool, string) { return false, "clouds" })
	if err == nil || !strings.Contains(err.Error(), "rain") || !strings.Contains(err.Error(), "clouds") {
		t.Errorf("error %v", err)
	}
}

func TestBlob(t *testing.T) {
	for name, c := range map[string]struct {
		request Request
		want    string
	}{
		"blob":     {Request{Method: "GET", Path: "/v2/a/blobs/sha256:1", Status: 200}, "sha256:1"},
		"part":     {Request{Method: "GET", Path: "/v2/a/blobs/sha256:1", Status: 206}, "sha256:1"},
		"refused":  {Request{Method: "GET", Path: "/v2/a/blobs/sha256:1", Status: 401}, ""},
		"asked":    {Request{Method: "HEAD", Path: "/v2/a/blobs/sha256:1", Status: 200}, ""},
		"manifest": {Request{Method: "GET", Path: "/v2/a/manifests/1", Status: 200}, ""},
	} {
		if got := c.request.Blob(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
