package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// tree writes the same files, of another time, in another folder.
func tree(t *testing.T, age time.Duration) string {
	t.Helper()
	dir := t.TempDir()
	for file, content := range map[string]string{"bin/linux_amd64/x": "for amd64", "bin/linux_arm64/x": "for arm64", "configs/p/b": "b", "configs/p/a": "a"} {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o600)
		if strings.HasPrefix(file, "bin") {
			mode = 0o700
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		then := time.Unix(1_000_000, 0).Add(age)
		if err := os.Chtimes(path, then, then); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const dockerfile = "FROM scratch\nCOPY bin/linux_${TARGETARCH}/x /x\nCOPY configs /configs\nUSER 1\nENTRYPOINT [\"/x\"]\n"

func indexFrom(t *testing.T, dir string) v1.ImageIndex {
	t.Helper()
	index, err := indexOf([]string{"amd64", "arm64"}, func(arch string) (v1.Image, error) {
		r, err := parse(dockerfile, "", arch)
		if err != nil {
			return nil, err
		}
		return build(dir, arch, r, map[string]string{"version": "v1"})
	})
	if err != nil {
		t.Fatal(err)
	}
	return index
}

func digestOf(t *testing.T, index v1.ImageIndex) string {
	t.Helper()
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

// Bundles name images by digests that were computed elsewhere.
func TestTheSameFilesMakeTheSameDigest(t *testing.T) {
	first, second := tree(t, 0), tree(t, time.Hour)
	if a, b := digestOf(t, indexFrom(t, first)), digestOf(t, indexFrom(t, second)); a != b {
		t.Errorf("%s and %s", a, b)
	}
	before := digestOf(t, indexFrom(t, first))
	if err := os.WriteFile(filepath.Join(first, "configs", "p", "a"), []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if after := digestOf(t, indexFrom(t, first)); after == before {
		t.Error("other files make the same digest")
	}
}

// What is pushed is what was computed, and a node finds its architecture in it.
func TestPush(t *testing.T) {
	server := localRegistry()
	defer server.Close()
	reference := strings.TrimPrefix(server.URL, "http://") + "/kubefledged/x:v1"
	index := indexFrom(t, tree(t, 0))
	if err := push(t.Context(), index, reference, false); err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := digestOf(t, index), digestOf(t, pulled); a != b {
		t.Errorf("computed %s, pulled %s", a, b)
	}
	image, err := remote.Image(ref, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: "arm64"}))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"x": "755 for arm64", "configs": "755 ", "configs/p": "755 ", "configs/p/a": "644 a", "configs/p/b": "644 b"}
	if diff := cmp.Diff(want, contents(t, image)); diff != "" {
		t.Errorf("files (-want +got)\n%s", diff)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != "1" || config.Config.Entrypoint[0] != "/x" || config.Config.Labels["version"] != "v1" || config.Architecture != "arm64" {
		t.Errorf("%+v", config)
	}
}

func contents(t *testing.T, image v1.Image) map[string]string {
	t.Helper()
	stream := mutate.Extract(image)
	defer stream.Close()
	files := map[string]string{}
	for archive := tar.NewReader(stream); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = map[int64]string{0o755: "755 ", 0o644: "644 "}[header.Mode] + string(content)
	}
}

// The name that is printed goes into bundles.
func TestImageCommand(t *testing.T) {
	dir := tree(t, 0)
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := run(t.Context(), &out, []string{
		"image", "--file", filepath.Join(dir, "Dockerfile"), "--context", dir, "--label", "version=v1",
		"--reference", "localhost:5000/kubefledged/x:v1", "--output", filepath.Join(dir, "layout"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := "localhost:5000/kubefledged/x@" + digestOf(t, indexFrom(t, dir)) + "\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	if _, err := os.Stat(filepath.Join(dir, "layout", "oci-layout")); err != nil {
		t.Error(err)
	}
	if err := run(t.Context(), &out, []string{"image", "--reference", "https://ghcr.io/x"}); err == nil {
		t.Error("a URL was taken for a reference")
	}
}
