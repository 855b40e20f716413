package build

import "fmt"

// olmTags leave out what needs cgo: storage drivers and GPG.
const olmTags = "-tags=containers_image_openpgp,exclude_graphdriver_btrfs,exclude_graphdriver_devicemapper,containers_image_storage_stub"

// olmRecipes returns the recipes of the Operator Lifecycle Manager and of the
// tools that make and test bundles. They share most of what they import.
func olmRecipes() []Recipe {
	const framework = "github.com/operator-framework/"
	const sdk = framework + "operator-sdk/"
	return []Recipe{
		{
			Name: OperatorSDK, Module: sdkModule, AnyOS: true,
			Packages: []string{sdk + "cmd/operator-sdk"},
			// The version is written into the bundles that it generates.
			Flags: []string{olmTags, fmt.Sprintf("%[1]s -X %[2]sinternal/version.Version=%[3]s -X %[2]sinternal/version.GitVersion=%[3]s -X %[2]sinternal/version.ImageVersion=%[3]s",
				strip, sdk, SDKVersion)},
		},
		{
			Name: ScorecardTest, Module: sdkModule,
			Packages: []string{sdk + "images/scorecard-test"},
			Flags:    []string{olmTags, strip},
		},
		{
			Name: OPM, Module: olmModule, AnyOS: true,
			Packages: []string{framework + "operator-registry/cmd/opm", "github.com/grpc-ecosystem/grpc-health-probe"},
			Flags:    []string{olmTags, strip + " -X " + framework + "operator-registry/cmd/opm/version.opmVersion=" + OPMVersion},
		},
		{
			Name: OLM, Module: olmModule,
			Packages: []string{
				framework + "operator-lifecycle-manager/cmd/catalog",
				framework + "operator-lifecycle-manager/cmd/copy-content",
				framework + "operator-lifecycle-manager/cmd/olm",
				framework + "operator-lifecycle-manager/cmd/package-server",
				framework + "operator-lifecycle-manager/util/cpb",
				"./manifests",
			},
			Flags: []string{olmTags, strip + " -X " + framework + "operator-lifecycle-manager/pkg/version.OLMVersion=" + OLMVersion},
		},
	}
}
