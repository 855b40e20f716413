// Package images makes container images in memory and pushes them to the
// cluster's registry. The same arguments make the same image, byte for byte.
package images

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Options say what an image holds besides its program.
type Options struct {
	// Program is the path of a static program; it becomes /NAME in the image
	// and the entrypoint, with Args.
	Program string
	Args    []string
	// Size is how many bytes of data, which cannot be compressed, are spread
	// over Layers layers.
	Size   int64
	Layers int
	// Seed decides the data.
	Seed string
}

// New makes an image for the machine's platform.
func New(options Options) (v1.Image, error) {
	layers, err := makeLayers(options)
	if err != nil {
		return nil, err
	}
	return finish(layers, v1.Config{
		Entrypoint: append([]string{"/" + filepath.Base(options.Program)}, options.Args...),
		WorkingDir: "/",
	})
}

// finish makes an image of the layers for the machine's platform.
func finish(layers []v1.Layer, config v1.Config) (v1.Image, error) {
	image := mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1)
	image, err := mutate.AppendLayers(image, layers...)
	if err != nil {
		return nil, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config = "linux", runtime.GOARCH, config
	return mutate.ConfigFile(image, file)
}

func makeLayers(options Options) ([]v1.Layer, error) {
	program, err := os.ReadFile(options.Program)
	if err != nil {
		return nil, err
	}
	first, err := layer(filepath.Base(options.Program), 0o755, program)
	if err != nil {
		return nil, err
	}
	layers := []v1.Layer{first}
	for index := range options.Layers {
		size := options.Size / int64(options.Layers)
		if index == 0 {
			size += options.Size % int64(options.Layers)
		}
		data, err := layer(fmt.Sprintf("data-%d", index), 0o644, noise(fmt.Sprintf("%s#%d", options.Seed, index), size))
		if err != nil {
			return nil, err
		}
		layers = append(layers, data)
	}
	return layers, nil
}

// layer is a layer with one file, not compressed: the data could not be made
// smaller, and trying would take most of the time.
func layer(name string, mode int64, content []byte) (v1.Layer, error) {
	var archive bytes.Buffer
	archive.Grow(len(content) + 4096)
	writer := tar.NewWriter(&archive)
	header := &tar.Header{Name: name, Mode: mode, Size: int64(len(content)), Format: tar.FormatUSTAR}
	if err := writer.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := writer.Write(content); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return static.NewLayer(archive.Bytes(), types.OCIUncompressedLayer), nil
}

// noise returns bytes without any pattern, the same for the same seed.
func noise(seed string, size int64) []byte {
	content := make([]byte, size)
	// Reading from this source never fails.
	_, _ = rand.NewChaCha8(sha256.Sum256([]byte(seed))).Read(content)
	return content
}

// Target returns the reference to push to, at address, for what the cluster
// knows as reference: the registry is replaced, the repository kept.
func Target(reference, address string) (name.Reference, error) {
	parsed, err := name.ParseReference(reference)
	if err != nil {
		return nil, err
	}
	tag, isTag := parsed.(name.Tag)
	if !isTag {
		return nil, fmt.Errorf("%s: an image is pushed by tag", reference)
	}
	registry, err := name.NewRegistry(address, name.Insecure)
	if err != nil {
		return nil, err
	}
	return registry.Repo(tag.RepositoryStr()).Tag(tag.TagStr()), nil
}

// Push pushes the image to the registry at address under the repository that
// reference names, and returns its digest.
func Push(ctx context.Context, image v1.Image, reference, address string, transport http.RoundTripper) (string, error) {
	target, err := Target(reference, address)
	if err != nil {
		return "", err
	}
	if err := remote.Write(target, image, options(ctx, transport)...); err != nil {
		return "", err
	}
	digest, err := image.Digest()
	return digest.String(), err
}

// Exists tells whether the registry at address has the image.
func Exists(ctx context.Context, reference, address string, transport http.RoundTripper) (bool, error) {
	digest, err := Digest(ctx, reference, address, transport)
	return digest != "", err
}

// Digest returns the digest of the image that the registry at address has
// under that name, "" when it has none.
func Digest(ctx context.Context, reference, address string, transport http.RoundTripper) (string, error) {
	target, err := Target(reference, address)
	if err != nil {
		return "", err
	}
	found, err := remote.Head(target, options(ctx, transport)...)
	if isMissing(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return found.Digest.String(), nil
}

func isMissing(err error) bool {
	var failure *transport.Error
	return errors.As(err, &failure) && failure.StatusCode == http.StatusNotFound
}

// options use the default transport when there is none.
func options(ctx context.Context, transport http.RoundTripper) []remote.Option {
	if transport == nil {
		transport = http.DefaultTransport
	}
	return []remote.Option{remote.WithContext(ctx), remote.WithTransport(transport)}
}
