package lab

import (
	"context"
	"encoding/json"
	"net/http"
)

// PushArtifact pushes an artifact that holds the text and, as artifacts do, the
// empty config of the OCI image specification.
func (g *Registry) PushArtifact(ctx context.Context, repository, tag, text string) error {
	config, err := g.pushBlob(ctx, repository, "application/vnd.oci.empty.v1+json", []byte("{}"))
	if err != nil {
		return err
	}
	data, err := g.pushBlob(ctx, repository, "application/vnd.kubefledged.test.text", []byte(text))
	if err != nil {
		return err
	}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "artifactType": "application/vnd.kubefledged.test",
		"config": config, "layers": []descriptor{data},
	})
	if err != nil {
		return err
	}
	_, err = g.send(ctx, http.MethodPut, "/v2/"+repository+"/manifests/"+tag, manifestType, manifest)
	return err
}
