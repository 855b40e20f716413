package plan

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/version"
)

// imageVolumeRuntimes are the oldest container runtimes, by the name of the
// CRI's version string, that mount image volumes.
var imageVolumeRuntimes = map[string]string{"containerd": "2.1.0", "cri-o": "1.33.0"}

// imageVolumeKubelet is the oldest kubelet that has image volumes on by
// default (KEP-4639, beta and on since 1.35).
const imageVolumeKubelet = "1.35.0"

// MethodFor returns how a node of these versions pulls, as told by
// status.nodeInfo (for example "v1.37.2" and "containerd://2.4.2"). What
// cannot be parsed pulls by exec, which works everywhere.
func MethodFor(kubelet, runtime string) Method {
	name, runtimeVersion, _ := strings.Cut(runtime, "://")
	oldest, known := imageVolumeRuntimes[name]
	if known && atLeast(kubelet, imageVolumeKubelet) && atLeast(runtimeVersion, oldest) {
		return MethodImageVolume
	}
	return MethodExec
}

func atLeast(have, want string) bool {
	v, err := version.ParseGeneric(have)
	return err == nil && v.AtLeast(version.MustParseGeneric(want))
}
