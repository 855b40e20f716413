package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// referenceName is the annotation by which an OCI layout calls its images.
const referenceName = "org.opencontainers.image.ref.name"

// save writes the index as an OCI layout, in place of what was there.
func save(index v1.ImageIndex, dir, reference string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	target, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	return target.AppendIndex(index, layout.WithAnnotations(map[string]string{referenceName: reference}))
}

// push sends the index to a registry, with the credentials of docker or podman.
// Registries on loopback speak plain HTTP, others only when insecure is set.
func push(ctx context.Context, index v1.ImageIndex, reference string, insecure bool) error {
	var options []name.Option
	if insecure {
		options = append(options, name.Insecure)
	}
	target, err := name.ParseReference(reference, options...)
	if err != nil {
		return err
	}
	return remote.WriteIndex(target, index, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
}
