//go:build linux

package cluster

import (
	"slices"
	"testing"
)

func TestOLMIsAdapted(t *testing.T) {
	t.Parallel()
	kinds := []string{"Namespace", "OLMConfig", "CatalogSource", "CustomResourceDefinition"}
	var objects []object
	for _, kind := range kinds {
		objects = append(objects, object{"kind": kind})
	}
	crds, others := partition(adaptOLM(objects), isCRD)
	if len(crds) != 1 || len(others) != 2 {
		t.Errorf("%v and %v", crds, others)
	}
	if slices.ContainsFunc(others, func(o object) bool { return o["kind"] == "CatalogSource" }) {
		t.Error("the catalog of OperatorHub.io is left")
	}
	features, _ := others[1]["spec"].(object)["features"].(object)
	if features["disableCopiedCSVs"] != true {
		t.Errorf("CSVs are copied: %v", others[1])
	}
}

// What OLM and operator-sdk call is in the images: a program that is missing
// there shows only on a cluster.
func TestOLMImagesHaveWhatIsCalled(t *testing.T) {
	t.Parallel()
	assembly := opmAssembly("/programs")
	if assembly.Programs["bin/grpc_health_probe"] != "/programs/grpc-health-probe" || assembly.Programs["bin/opm"] == "" {
		t.Errorf("programs: %v", assembly.Programs)
	}
	for _, name := range []string{"sh", "cat", "gzip", "cp", "tar"} {
		if assembly.Links["bin/"+name] != "busybox" {
			t.Errorf("no %s: %v", name, assembly.Links)
		}
	}
	if !slices.Contains(assembly.Dirs, "configs") || assembly.Labels["operators.operatorframework.io.index.configs.v1"] != "/configs" {
		t.Errorf("operator-sdk does not take it for an index: %v, %v", assembly.Dirs, assembly.Labels)
	}
}
