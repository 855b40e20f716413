package main

import (
	"fmt"
	"maps"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// indexOf makes an OCI index with one image for each architecture. The same
// files make the same digest, whoever makes it, when and where.
func indexOf(archs []string, imageFor func(arch string) (v1.Image, error)) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range archs {
		image, err := imageFor(arch)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", arch, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        image,
			Descriptor: v1.Descriptor{MediaType: types.OCIManifestSchema1, Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	return index, nil
}

// build makes the image of a recipe with files of the folder context.
func build(context, arch string, r recipe, labels map[string]string) (v1.Image, error) {
	image := mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1)
	for _, c := range r.copies {
		layer, err := layerOf(context, c)
		if err != nil {
			return nil, err
		}
		history := v1.History{CreatedBy: "COPY " + c.to, Created: noTime}
		if image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: history, MediaType: types.OCILayer}); err != nil {
			return nil, err
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, noTime
	config.Config.User, config.Config.Entrypoint = r.user, r.entrypoint
	config.Config.Labels = maps.Clone(r.labels)
	maps.Copy(config.Config.Labels, labels)
	return mutate.ConfigFile(image, config)
}

// noTime is when every image was made: a time of making would change digests.
var noTime = v1.Time{Time: time.Unix(0, 0).UTC()}
