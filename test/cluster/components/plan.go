package components

import (
	"path/filepath"

	"github.com/kubefledged/kubefledged-operator/test/cluster/network"
)

// Plan is all that decides what the components of a cluster are.
type Plan struct {
	// State is the cluster's directory.
	State string
	// Self is the path of this program, which is the registry, the forwarder
	// and the nodes' sandboxes too.
	Self string
	// Kubernetes, Containerd and CNI are the directories of the binaries.
	Kubernetes, Containerd, CNI string
	// Kwok is the directory of kwok's binary, "" for a cluster without
	// simulated nodes.
	Kwok string
	// KwokConfig is the file with the stages of simulated nodes.
	KwokConfig string
	// Flags are added to those of control plane components, by name; the last
	// of a kind counts.
	Flags map[string][]string
	// Names are the network namespaces.
	Names network.Names
	// Ports are where the machine reaches the cluster, on loopback.
	Ports Ports
	Nodes []Node
}

// Ports are the forwarder's ports on 127.0.0.1.
type Ports struct {
	API           int `json:"api"`
	Registry      int `json:"registry"`
	RegistryAdmin int `json:"registryAdmin"`
	RegistryTLS   int `json:"registryTLS"`
}

// Node is one node of the cluster.
type Node struct {
	Name string `json:"name"`
	// Index picks the node's addresses; it is not given away again while the
	// node exists.
	Index  int               `json:"index"`
	Labels map[string]string `json:"labels,omitempty"`
	// Taints are in the form KEY=VALUE:EFFECT or KEY:EFFECT.
	Taints []string `json:"taints,omitempty"`
	// Kubelet overrides fields of the kubelet's configuration.
	Kubelet map[string]any `json:"kubelet,omitempty"`
	// ImageDisk is the size in bytes of a disk of its own for the runtime's
	// images and containers, 0 for the machine's.
	ImageDisk int64 `json:"imageDisk,omitempty"`
}

// PKI is the directory of the control plane's certificates.
func (p Plan) PKI() string { return filepath.Join(p.State, "pki") }

// NodeDir is the directory of the node. Its name is short, whatever the
// node's name is: sockets in it have at most 108 characters.
func (p Plan) NodeDir(node string) string {
	return filepath.Join(p.State, "nodes", network.ShortHash(node))
}

// AuditLog is where the API server tells what service accounts write, a JSON
// object a line.
func (p Plan) AuditLog() string { return filepath.Join(p.State, "audit.log") }

// Socket is the node's containerd socket, as the machine sees it.
func (p Plan) Socket(node string) string {
	return filepath.Join(p.NodeDir(node), "run", "containerd.sock")
}

// AddressDir is where the node's CNI plugin keeps which pod has which address.
func (p Plan) AddressDir(node string) string { return filepath.Join(p.NodeDir(node), "ipam") }

// Cgroup is the parent of all cgroups of the cluster.
func (p Plan) Cgroup() string { return "/" + p.Names.Prefix }

// SystemCgroup holds the components themselves.
func (p Plan) SystemCgroup() string { return p.Cgroup() + "/components" }

// NodeCgroup holds the node's pods.
func (p Plan) NodeCgroup(node string) string {
	return p.Cgroup() + "/" + network.ShortHash(node)
}

// All returns every component of the cluster.
func (p Plan) All() []Component {
	all := p.ControlPlane()
	for _, node := range p.Nodes {
		all = append(all, p.Node(node)...)
	}
	return all
}
