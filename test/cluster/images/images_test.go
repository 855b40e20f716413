package images

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pause")
	if err := os.WriteFile(path, []byte("program"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestImagesAreDeterministic(t *testing.T) {
	t.Parallel()
	digest := func(options Options) string {
		options.Program = program(t)
		image, err := New(options)
		if err != nil {
			t.Fatal(err)
		}
		digest, err := image.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return digest.String()
	}
	first := digest(Options{Size: 1000, Layers: 3, Seed: "a"})
	if again := digest(Options{Size: 1000, Layers: 3, Seed: "a"}); again != first {
		t.Errorf("%s, then %s", first, again)
	}
	for name, other := range map[string]Options{
		"seed":   {Size: 1000, Layers: 3, Seed: "b"},
		"size":   {Size: 1001, Layers: 3, Seed: "a"},
		"layers": {Size: 1000, Layers: 2, Seed: "a"},
		"args":   {Size: 1000, Layers: 3, Seed: "a", Args: []string{"x"}},
	} {
		if digest(other) == first {
			t.Errorf("another %s makes the same image", name)
		}
	}
}

func TestImageRunsItsProgram(t *testing.T) {
	t.Parallel()
	image, err := New(Options{Program: program(t), Args: []string{"serve", "80"}, Size: 10, Layers: 3, Seed: "a"})
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/pause", "serve", "80"}, config.Config.Entrypoint); diff != "" {
		t.Errorf("entrypoint (-want +got):\n%s", diff)
	}
	if config.OS != "linux" || len(config.RootFS.DiffIDs) != 4 {
		t.Errorf("system %q, %d layers", config.OS, len(config.RootFS.DiffIDs))
	}
}

func TestTarget(t *testing.T) {
	t.Parallel()
	for reference, want := range map[string]string{
		"quay.io/team/app:1":     "127.0.0.1:5001/team/app:1",
		"nginx":                  "127.0.0.1:5001/library/nginx:latest",
		"localhost:5000/a/b/c:2": "127.0.0.1:5001/a/b/c:2",
	} {
		target, err := Target(reference, "127.0.0.1:5001")
		if err != nil || target.Name() != want {
			t.Errorf("%s: %v (%v), want %s", reference, target, err, want)
		}
	}
	if _, err := Target("quay.io/a@sha256:"+string(make([]byte, 64)), "x"); err == nil {
		t.Error("a digest is accepted")
	}
}

func TestParseSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "512": 512, "1B": 1, "2KB": 2000, "2kB": 2000, "100MB": 100_000_000, "1GB": 1_000_000_000,
		"1KiB": 1024, "3MiB": 3 << 20, "1GiB": 1 << 30, "5 MB": 5_000_000,
		"2Ki": 2048, "400Mi": 400 << 20, "1Gi": 1 << 30,
	} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%q: %d (%v), want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MB", "-1", "1.5MB", "1TB", "9999999999999999GB"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q is accepted as %d", text, got)
		}
	}
}

func TestAssemblyHoldsItsFiles(t *testing.T) {
	t.Parallel()
	assembly := Assembly{
		Programs:   map[string]string{"bin/opm": program(t)},
		Texts:      map[string]string{"etc/nsswitch.conf": "hosts: files dns\n"},
		Links:      map[string]string{"bin/sh": "busybox"},
		Dirs:       []string{"tmp"},
		Entrypoint: []string{"/bin/opm"},
		User:       "1001",
	}
	image, err := Assemble(assembly)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	reader := tar.NewReader(mutate.Extract(image))
	for header, err := reader.Next(); !errors.Is(err, io.EOF); header, err = reader.Next() {
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, fmt.Sprintf("%s %o %s", header.Name, header.Mode, header.Linkname))
	}
	slices.Sort(files)
	if diff := cmp.Diff([]string{"bin/opm 755 ", "bin/sh 777 busybox", "etc/nsswitch.conf 644 ", "tmp 1777 "}, files); diff != "" {
		t.Error(diff)
	}
	config, err := image.ConfigFile()
	if err != nil || config.Config.User != "1001" || config.OS != "linux" {
		t.Errorf("config %+v, %v", config, err)
	}
}
