package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"sigs.k8s.io/yaml"
)

// archs of bundles and catalogs, whose images are the same files for each: a
// node takes no image that is made for another architecture.
var archs = []string{"amd64", "arm64"}

// bundleIndex makes the image of a bundle's folder. As in bundle.Dockerfile, the
// labels are the annotations.
func bundleIndex(dir string) (v1.ImageIndex, error) {
	r, err := bundleRecipe(dir)
	if err != nil {
		return nil, err
	}
	return indexOf(archs, func(arch string) (v1.Image, error) { return build(dir, arch, r, nil) })
}

func bundleRecipe(dir string) (recipe, error) {
	var metadata struct {
		Annotations map[string]string `json:"annotations"`
	}
	content, err := os.ReadFile(filepath.Join(dir, "metadata", "annotations.yaml"))
	if err == nil {
		err = yaml.UnmarshalStrict(content, &metadata)
	}
	if err != nil {
		return recipe{}, err
	}
	r := recipe{labels: metadata.Annotations}
	for _, part := range []string{"manifests", "metadata", "tests/scorecard"} {
		if _, err := os.Stat(filepath.Join(dir, part)); err == nil {
			r.copies = append(r.copies, copied{from: []string{part}, to: "/" + part + "/"})
		}
	}
	return r, nil
}

// bundleName returns the name of the ClusterServiceVersion in a bundle's folder.
func bundleName(dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "manifests", "*.clusterserviceversion.yaml"))
	if err != nil || len(files) != 1 {
		return "", fmt.Errorf("%s: %d ClusterServiceVersions, %w", dir, len(files), err)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		return "", err
	}
	var csv struct {
		Metadata struct{ Name string }
	}
	err = yaml.Unmarshal(content, &csv)
	return csv.Metadata.Name, err
}

// withoutScheme refuses what would be a URL where a reference is wanted.
func withoutScheme(reference string) error {
	if slices.ContainsFunc([]string{"http://", "https://", "docker://"}, func(scheme string) bool { return strings.HasPrefix(reference, scheme) }) {
		return fmt.Errorf("%s: want host/repository, not a URL", reference)
	}
	return nil
}
