package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
	"sigs.k8s.io/yaml"
)

// templateHead is written above templates: they lose their comments.
const templateHead = `# The catalog of KubeFledged, for opm. "make catalog" writes the digests of the
# bundles, and puts catalogs of other bundles together from this one.
`

// template is an olm.template.basic.
type template struct {
	Schema  string           `json:"schema"`
	Entries []map[string]any `json:"entries"`
}

// bundleImage is a bundle as a catalog knows it.
type bundleImage struct {
	dir   string
	image string // by digest
}

// bundleImages computes the digest of each bundle, by the name of its
// ClusterServiceVersion.
func bundleImages(repository string, dirs []string) (map[string]bundleImage, error) {
	images := map[string]bundleImage{}
	for _, dir := range dirs {
		name, err := bundleName(dir)
		if err != nil {
			return nil, err
		}
		index, err := bundleIndex(dir)
		if err != nil {
			return nil, err
		}
		digest, err := index.Digest()
		if err != nil {
			return nil, err
		}
		images[name] = bundleImage{dir: dir, image: repository + "@" + digest.String()}
	}
	return images, nil
}

// fill returns the template with the bundles that are there: their digests, and
// without the entries of others.
func fill(from template, images map[string]bundleImage) template {
	result := template{Schema: from.Schema}
	for _, entry := range from.Entries {
		switch entry["schema"] {
		case "olm.bundle":
			known, ok := images[fmt.Sprint(entry["name"])]
			if !ok {
				continue
			}
			entry["image"] = known.image
		case "olm.channel":
			entry["entries"] = slices.DeleteFunc(slices.Clone(entry["entries"].([]any)), func(one any) bool {
				_, ok := images[fmt.Sprint(one.(map[string]any)["name"])]
				return !ok
			})
		}
		result.Entries = append(result.Entries, entry)
	}
	return result
}

func readTemplate(file string) (template, error) {
	var t template
	content, err := os.ReadFile(file)
	if err == nil {
		err = yaml.UnmarshalStrict(content, &t)
	}
	return t, err
}

// render has opm render a template. Opm takes bundles from a registry only, so
// they are pushed to one in this process, which stands for the real one: the
// digests are the same, and the host's name is put back afterwards.
func render(ctx context.Context, opm string, t template, repository string, images map[string]bundleImage) ([]byte, error) {
	server := localRegistry()
	defer server.Close()
	host, path, _ := strings.Cut(repository, "/")
	local := strings.TrimPrefix(server.URL, "http://")
	for _, bundle := range images {
		index, err := bundleIndex(bundle.dir)
		if err != nil {
			return nil, err
		}
		if err := push(ctx, index, strings.Replace(bundle.image, host, local, 1), true); err != nil {
			return nil, err
		}
	}
	content, err := yaml.Marshal(t)
	if err != nil {
		return nil, err
	}
	content = bytes.ReplaceAll(content, []byte(repository+"@"), []byte(local+"/"+path+"@"))
	rendered, err := runOPM(ctx, opm, content)
	return bytes.ReplaceAll(rendered, []byte(local+"/"+path+"@"), []byte(repository+"@")), err
}

// localRegistry is a registry in this process, on loopback.
func localRegistry() *httptest.Server {
	return httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
}

// acceptAnything is a policy of signatures for opm, which does not start
// without one, and machines without Podman have none. All it pulls from is the
// registry in this process (containers-policy.json(5)).
const acceptAnything = `{"default": [{"type": "insecureAcceptAnything"}]}`

func runOPM(ctx context.Context, opm string, template []byte) ([]byte, error) {
	dir, err := os.MkdirTemp("", "catalog-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file, policy := filepath.Join(dir, "template.yaml"), filepath.Join(dir, "policy.json")
	if err := errors.Join(os.WriteFile(file, template, 0o600), os.WriteFile(policy, []byte(acceptAnything), 0o600)); err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, opm, "alpha", "render-template", "basic", file,
		"--use-http", "--migrate-level=bundle-object-to-csv-metadata", "--output", "yaml")
	command.Env = append(os.Environ(), "CONTAINERS_POLICY_JSON="+policy)
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("opm alpha render-template: %w", err)
	}
	return output, nil
}
