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

// imageVolumeField is the oldest kubelet that knows the field at all. An older
// one takes the volume for an empty directory: the Job would succeed without
// any pull.
const imageVolumeField = "1.31.0"

// MethodFor returns how a node of these versions pulls, as told by
// status.nodeInfo (for example "v1.37.2" and "containerd://2.4.2"). What
// cannot be parsed pulls by exec, which works everywhere. force is the method
// to use where it is possible; empty chooses by the versions.
func MethodFor(force Method, kubelet, runtime string) Method {
	switch {
	case force == MethodExec:
		return MethodExec
	case force == MethodImageVolume && atLeast(kubelet, imageVolumeField):
		return MethodImageVolume
	}
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
