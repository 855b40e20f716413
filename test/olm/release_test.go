//go:build e2e

package olm

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// The two releases: one source, built under two versions, which makes other
// programs and other digests.
const (
	oldVersion = "0.1.0"
	newVersion = "0.2.0"
)

// repositories is where the images of the releases are, for users and nodes. The
// nodes take them from the cluster's registry.
const repositories = "ghcr.io/kubefledged"

// csvName is the ClusterServiceVersion of a release.
func csvName(version string) string { return "kubefledged-operator.v" + version }

// release is one of the two.
type release struct {
	// Images are those of the programs, by digest, by their variable in the
	// file that bundles are made from.
	Images map[string]string
	// Dir is the bundle's directory, and Digest that of its image.
	Dir, Digest string
}

// releases are the two by version.
var releases = map[string]release{}

// makeReleases makes both and their catalogs. Those of a cluster that was kept
// are taken as they are.
func makeReleases(ctx context.Context) error {
	work = filepath.Join(cluster.Dir, "releases")
	record := filepath.Join(work, "releases.json")
	if content, err := os.ReadFile(record); err == nil {
		return json.Unmarshal(content, &releases)
	}
	if err := os.MkdirAll(work, 0o755); err != nil {
		return err
	}
	var dirs []string
	for _, version := range []string{oldVersion, newVersion} {
		made, err := makeRelease(ctx, version)
		if err != nil {
			return err
		}
		releases[version], dirs = made, append(dirs, made.Dir)
		_, err = runMake(ctx, "catalog", "CATALOG_DIR="+catalogDir(version), "CATALOG_BUNDLES="+strings.Join(dirs, " "),
			"BUNDLE_REPOSITORY="+repositories+"/kubefledged-operator-bundle")
		if err != nil {
			return err
		}
	}
	content, err := json.Marshal(releases)
	if err != nil {
		return err
	}
	return os.WriteFile(record, content, 0o600)
}

// catalogDir has the catalog of the time when that was the newest version.
func catalogDir(version string) string { return filepath.Join(work, "catalog-"+version) }

// makeRelease does what a release does: it pushes the images of the programs,
// makes a bundle that names them by digest, and pushes that.
func makeRelease(ctx context.Context, version string) (release, error) {
	registry := cluster.Registry.Address + "/kubefledged"
	output, err := runMake(ctx, "push", "REGISTRY="+registry, "VERSION=v"+version, "TAG=v"+version)
	if err != nil {
		return release{}, err
	}
	made := release{Images: map[string]string{}, Dir: filepath.Join(work, "bundle-"+version)}
	var lines strings.Builder
	for variable, name := range map[string]string{
		"OPERATOR_IMG": "kubefledged-operator", "CONTROLLER_IMG": "kubefledged-controller", "CRI_CLIENT_IMG": "kubefledged-cri-client",
	} {
		digest, err := digestIn(output, name)
		if err != nil {
			return release{}, err
		}
		made.Images[variable] = repositories + "/" + name + "@" + digest
		fmt.Fprintf(&lines, "%s=%s\n", variable, made.Images[variable])
	}
	file := filepath.Join(work, "images-"+version+".env")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		return release{}, err
	}
	bundle := []string{"BUNDLE_DIR=" + made.Dir, "BUNDLE_VERSION=" + version, "REGISTRY=" + registry}
	if _, err := runMake(ctx, append([]string{"bundle", "BUNDLE_IMAGES=" + file}, bundle...)...); err != nil {
		return release{}, err
	}
	if output, err = runMake(ctx, append([]string{"bundle-push"}, bundle...)...); err != nil {
		return release{}, err
	}
	made.Digest, err = digestIn(output, "kubefledged-operator-bundle")
	return made, err
}

// digestIn finds the digest of the image of that name in what make printed.
func digestIn(output, name string) (string, error) {
	found := regexp.MustCompile(`/` + name + `@(sha256:[0-9a-f]{64})`).FindStringSubmatch(output)
	if found == nil {
		return "", fmt.Errorf("no digest of %s in what make printed:\n%s", name, output)
	}
	return found[1], nil
}
