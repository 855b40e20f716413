package lab

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
)

const indexType = "application/vnd.oci.image.index.v1+json"

// PushForeign pushes an image index that has an image for s390x only, which
// none of the nodes is.
func (g *Registry) PushForeign(ctx context.Context, repository, tag string) error {
	const architecture = "s390x"
	config, err := g.pushBlob(ctx, repository, configType, fmt.Appendf(nil,
		`{"architecture":%q,"os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}`, architecture))
	if err != nil {
		return err
	}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "config": config, "layers": []descriptor{},
	})
	if err != nil {
		return err
	}
	path := "/v2/" + repository + "/manifests/"
	entry := describeBlob(manifestType, manifest)
	if _, err := g.send(ctx, http.MethodPut, path+entry.Digest, manifestType, manifest); err != nil {
		return err
	}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": []any{
		map[string]any{
			"mediaType": entry.MediaType, "digest": entry.Digest, "size": entry.Size,
			"platform": map[string]string{"architecture": architecture, "os": "linux"},
		},
	}})
	if err != nil {
		return err
	}
	_, err = g.send(ctx, http.MethodPut, path+tag, indexType, index)
	return err
}

func describeBlob(mediaType string, content []byte) descriptor {
	return descriptor{mediaType, fmt.Sprintf("sha256:%x", sha256.Sum256(content)), len(content)}
}
