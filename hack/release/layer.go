package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// file is one entry of a layer: a folder when content is nil.
type file struct {
	name    string
	content []byte
	mode    int64
}

// layerOf makes the layer of one COPY: as Docker does, a folder is copied for
// what is in it, a file to the name, or into the folder when that ends in "/".
func layerOf(context string, c copied) (v1.Layer, error) {
	var files []file
	for _, from := range c.from {
		more, err := filesOf(filepath.Join(context, from), c.to)
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	archive, err := archiveOf(files)
	if err != nil {
		return nil, err
	}
	opener := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil }
	return tarball.LayerFromOpener(opener, tarball.WithMediaType(types.OCILayer))
}

func filesOf(from, to string) ([]file, error) {
	info, err := os.Stat(from)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		if strings.HasSuffix(to, "/") {
			to += filepath.Base(from)
		}
		content, err := os.ReadFile(from)
		return []file{{name: to, content: content, mode: modeOf(info)}}, err
	}
	var files []file
	err = filepath.WalkDir(from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		one := file{name: path.Join(to, filepath.ToSlash(relative)), mode: 0o755}
		if !entry.IsDir() {
			info, err := entry.Info()
			if err != nil {
				return err
			}
			if one.content, err = os.ReadFile(name); err != nil {
				return err
			}
			one.mode = modeOf(info)
		}
		files = append(files, one)
		return nil
	})
	return files, err
}

// modeOf keeps nothing of the mode but whether it is a program: the rest depends
// on who checked the files out.
func modeOf(info fs.FileInfo) int64 {
	if info.Mode()&0o100 != 0 {
		return 0o755
	}
	return 0o644
}

// archiveOf writes files of root, of no time, in the order of the names in which
// they were found.
func archiveOf(files []file) ([]byte, error) {
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	for _, f := range files {
		header := &tar.Header{Name: strings.TrimPrefix(f.name, "/"), Mode: f.mode, Size: int64(len(f.content)), Typeflag: tar.TypeReg}
		if f.content == nil {
			header.Typeflag, header.Name = tar.TypeDir, header.Name+"/"
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}
