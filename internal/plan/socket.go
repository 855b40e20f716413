package plan

import (
	"regexp"
	"slices"
	"strings"
)

// runtimeSockets are the sockets of container runtimes where their own
// configuration leaves them, by the name in the node's runtime version.
var runtimeSockets = map[string]string{
	"containerd": "/run/containerd/containerd.sock",
	"cri-o":      "/var/run/crio/crio.sock",
	"docker":     "/run/cri-dockerd.sock", // the kubelet sees Docker through cri-dockerd
}

// distributions bring a containerd of their own, and are told by the build
// metadata of the kubelet's version, for example v1.37.2+k3s1.
var distributions = map[string]string{
	"+k3s":  "/run/k3s/containerd/containerd.sock",
	"+rke2": "/run/k3s/containerd/containerd.sock",
	"+k0s":  "/run/k0s/containerd.sock",
}

// maxSocketPath is the longest path of a socket in bytes: sun_path has 108 and
// ends in a zero (unix(7)).
const maxSocketPath = 107

// SocketFor returns the path of a node's container runtime socket: flag if
// there is one, what kubeadm noted in annotation, or where the runtime has it
// by default, told by the versions of status.nodeInfo. Both flag and annotation
// may begin with "unix://". It is "" where nothing is known; no image can be
// removed from such a node.
func SocketFor(flag, annotation, kubeletVersion, runtimeVersion string) string {
	for _, told := range []string{flag, annotation} {
		if path := strings.TrimPrefix(told, "unix://"); isSocketPath(path) {
			return path
		}
	}
	name, _, _ := strings.Cut(runtimeVersion, "://")
	for suffix, path := range distributions {
		if name == "containerd" && strings.Contains(kubeletVersion, suffix) {
			return path
		}
	}
	return runtimeSockets[name]
}

// socketPath has the characters that need no quoting anywhere. A mount path
// with a colon is refused by the API server.
var socketPath = regexp.MustCompile(`^(/[A-Za-z0-9@+~._-]+)+$`)

// isSocketPath tells whether path may be a socket's. Whoever may annotate nodes
// must not choose arguments or steps back; the API server refuses ".." too.
func isSocketPath(path string) bool {
	return len(path) <= maxSocketPath && socketPath.MatchString(path) && !slices.Contains(strings.Split(path, "/"), "..")
}
