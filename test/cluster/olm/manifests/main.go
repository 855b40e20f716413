// Command manifests prints what OLM's chart installs, as a List in JSON with
// the CRDs first: manifests CHART NAMESPACE < VALUES.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sort"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: manifests CHART NAMESPACE < VALUES")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "manifests:", err)
		os.Exit(1)
	}
}

func run(dir, namespace string, values io.Reader, output io.Writer) error {
	chart, err := loader.LoadDir(dir)
	if err != nil {
		return err
	}
	content, err := io.ReadAll(values)
	if err != nil {
		return err
	}
	given, err := chartutil.ReadValues(content)
	if err != nil {
		return err
	}
	objects, err := render(chart, namespace, given)
	if err != nil {
		return err
	}
	return json.NewEncoder(output).Encode(map[string]any{"apiVersion": "v1", "kind": "List", "items": objects})
}

// render returns all objects of the chart, in the order of its files' names,
// which is the order OLM's authors want.
func render(chart *chart.Chart, namespace string, values chartutil.Values) ([]map[string]any, error) {
	release := chartutil.ReleaseOptions{Name: "olm", Namespace: namespace, Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(chart, values, release, nil)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(chart, all)
	if err != nil {
		return nil, err
	}
	var objects []map[string]any
	for _, crd := range chart.CRDObjects() {
		if objects, err = appendObjects(objects, string(crd.File.Data)); err != nil {
			return nil, fmt.Errorf("%s: %w", crd.Filename, err)
		}
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if objects, err = appendObjects(objects, files[file]); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return objects, nil
}

func appendObjects(objects []map[string]any, text string) ([]map[string]any, error) {
	documents := releaseutil.SplitManifests(text)
	names := slices.Collect(maps.Keys(documents))
	sort.Sort(releaseutil.BySplitManifestsOrder(names))
	for _, name := range names {
		var object map[string]any
		if err := yaml.Unmarshal([]byte(documents[name]), &object); err != nil {
			return nil, err
		}
		if len(object) > 0 {
			objects = append(objects, object)
		}
	}
	return objects, nil
}
