//go:build linux

package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"

	"sigs.k8s.io/yaml"

	"github.com/kubefledged/kubefledged-operator/test/cluster/build"
)

// olmObjects returns what OLM's chart installs, with the cluster's images,
// without the catalog of OperatorHub.io, which nobody could pull here.
func (r *running) olmObjects(ctx context.Context) ([]object, error) {
	dir, err := r.ensure(ctx, build.OLM)
	if err != nil {
		return nil, err
	}
	chart, err := r.moduleDir(ctx, "github.com/operator-framework/operator-lifecycle-manager", build.OLMVersion)
	if err != nil {
		return nil, err
	}
	values, err := yaml.Marshal(olmValues())
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, filepath.Join(dir, "manifests"), filepath.Join(chart, "deploy", "chart"), olmNamespace)
	command.Stdin = bytes.NewReader(values)
	output, err := command.Output()
	if err != nil {
		return nil, exitError(err)
	}
	var list struct{ Items []object }
	if err := json.Unmarshal(output, &list); err != nil {
		return nil, err
	}
	return adaptOLM(list.Items), nil
}

func olmValues() object {
	image := object{"ref": olmImage, "pullPolicy": "IfNotPresent"}
	return object{
		"namespace": olmNamespace, "catalog_namespace": olmNamespace, "operator_namespace": "operators",
		"olm": object{"image": image},
		"catalog": object{
			"image":        image,
			"commandArgs":  "--configmapServerImage=" + opmImage,
			"opmImageArgs": "--opmImage=" + opmImage,
		},
		"package": object{"replicaCount": 1, "image": image},
	}
}

// adaptOLM leaves out the catalog, and asks OLM not to copy the CSVs of
// operators for all namespaces into each of them.
func adaptOLM(objects []object) []object {
	objects = slices.DeleteFunc(objects, func(o object) bool { return o["kind"] == "CatalogSource" })
	for _, o := range objects {
		if o["kind"] == "OLMConfig" {
			o["spec"] = object{"features": object{"disableCopiedCSVs": true}}
		}
	}
	return objects
}

// moduleDir returns the directory of a module's files, downloaded unless they
// are there.
func (r *running) moduleDir(ctx context.Context, module, version string) (string, error) {
	command := exec.CommandContext(ctx, "go", "mod", "download", "-json", module+"@"+version)
	command.Dir = r.builder.Sources
	output, err := command.Output()
	if err != nil {
		return "", exitError(err)
	}
	var downloaded struct{ Dir, Error string }
	if err := json.Unmarshal(output, &downloaded); err != nil {
		return "", err
	}
	if downloaded.Error != "" {
		return "", errors.New(downloaded.Error)
	}
	return downloaded.Dir, nil
}

// exitError adds what the program said.
func exitError(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
	}
	return err
}
