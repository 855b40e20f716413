// Package network lays out and makes the cluster's network: one network
// namespace for the control plane with a bridge, and one per node behind a
// veth pair, so that nothing of the cluster listens on the machine itself.
package network

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
)

// Addresses inside every cluster. 198.18.0.0/15 is reserved for benchmarks: no
// real host is there. Clusters do not see each other, so they can share them.
const (
	ControlPlaneIP = "198.18.0.1"
	ControlPlane   = "198.18.0.0/24"
	PodCIDR        = "198.18.128.0/17"
	ServiceCIDR    = "198.19.0.0/16"
	KubernetesIP   = "198.19.0.1"
	DNSIP          = "198.19.0.10"
	// MaxNodes is how many nodes the plan has addresses for.
	MaxNodes = 127
)

// NodeIP returns the address of the node with that index, 0 to MaxNodes-1.
func NodeIP(index int) net.IP { return net.IPv4(198, 18, 0, byte(11+index)) }

// NodePodCIDR returns the subnet of the node's pods.
func NodePodCIDR(index int) string { return fmt.Sprintf("198.18.%d.0/24", 128+index) }

// ShortHash returns eight hexadecimal digits for names of namespaces, devices
// and directories, which must be short where node names need not be.
func ShortHash(text string) string {
	digest := sha256.Sum256([]byte(text))
	return hex.EncodeToString(digest[:])[:8]
}

// NamePrefix begins the names of all clusters' network namespaces.
const NamePrefix = "kubefledged-"

// Names are the network namespaces of one cluster.
type Names struct{ Prefix string }

// NamesFor returns the names for the cluster that keeps its state in dir: two
// users' clusters of one name stay apart.
func NamesFor(dir string) Names { return Names{Prefix: NamePrefix + ShortHash(dir)} }

// ControlPlane is the namespace of the control plane.
func (n Names) ControlPlane() string { return n.Prefix + "-control-plane" }

// Node is the namespace of the node of that name.
func (n Names) Node(node string) string { return n.Prefix + "-" + ShortHash(node) }
