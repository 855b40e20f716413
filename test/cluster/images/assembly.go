package images

import (
	"archive/tar"
	"bytes"
	"maps"
	"os"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Assembly says what an image of several files holds. Paths in the image begin
// without a slash.
type Assembly struct {
	// Programs are files of this machine, by their path in the image.
	Programs map[string]string
	// Texts are contents of files, by path.
	Texts map[string]string
	// Links are the targets of symbolic links, by path.
	Links map[string]string
	// Dirs are directories that anybody may write to.
	Dirs []string
	// Entrypoint, User and Labels are those of the image's config.
	Entrypoint []string
	User       string
	Labels     map[string]string
}

// Assemble makes an image of one layer for the machine's platform, the same
// one for the same files.
func Assemble(assembly Assembly) (v1.Image, error) {
	archive, err := assembly.archive()
	if err != nil {
		return nil, err
	}
	return finish([]v1.Layer{static.NewLayer(archive, types.OCIUncompressedLayer)}, v1.Config{
		Entrypoint: assembly.Entrypoint,
		User:       assembly.User,
		Labels:     assembly.Labels,
		WorkingDir: "/",
	})
}

func (a Assembly) archive() ([]byte, error) {
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	for _, entry := range a.entries() {
		if err := entry.write(writer); err != nil {
			return nil, err
		}
	}
	err := writer.Close()
	return archive.Bytes(), err
}

// entry is one file of an archive; that of a program is read when written.
type entry struct {
	header  tar.Header
	program string
	content []byte
}

func (a Assembly) entries() []entry {
	var entries []entry
	for _, dir := range a.Dirs {
		entries = append(entries, entry{header: tar.Header{Typeflag: tar.TypeDir, Name: strings.TrimSuffix(dir, "/") + "/", Mode: 0o1777}})
	}
	for _, name := range slices.Sorted(maps.Keys(a.Programs)) {
		entries = append(entries, entry{header: tar.Header{Name: name, Mode: 0o755}, program: a.Programs[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(a.Texts)) {
		entries = append(entries, entry{header: tar.Header{Name: name, Mode: 0o644}, content: []byte(a.Texts[name])})
	}
	for _, name := range slices.Sorted(maps.Keys(a.Links)) {
		entries = append(entries, entry{header: tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: a.Links[name], Mode: 0o777}})
	}
	return entries
}

func (e entry) write(writer *tar.Writer) (err error) {
	if e.program != "" {
		if e.content, err = os.ReadFile(e.program); err != nil {
			return err
		}
	}
	e.header.Size, e.header.Format = int64(len(e.content)), tar.FormatUSTAR
	if err := writer.WriteHeader(&e.header); err != nil {
		return err
	}
	_, err = writer.Write(e.content)
	return err
}
