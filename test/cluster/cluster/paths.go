//go:build linux

package cluster

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubefledged/kubefledged-operator/test/cluster/components"
	"github.com/kubefledged/kubefledged-operator/test/cluster/network"
)

func nodeAddress(node components.Node) string { return network.NodeIP(node.Index).String() }

// Path returns the path or address that what names; "socket" and "node" take a
// node's name.
func (c *Cluster) Path(what, node string) (string, error) {
	r, err := c.open()
	if err != nil {
		return "", err
	}
	if what == "socket" || what == "node" {
		if r.state.node(node) == nil {
			return "", fmt.Errorf("there is no node %q: want one of %s", node, r.state.nodeNames())
		}
		if what == "node" {
			return r.plan.NodeDir(node), nil
		}
		return r.plan.Socket(node), nil
	}
	paths := map[string]string{
		"kubeconfig":          r.HostKubeconfig(),
		"kubeconfig-internal": r.adminKubeconfig(),
		"bin":                 r.plan.Kubernetes,
		"state":               c.dir,
		"ca":                  filepath.Join(r.plan.PKI(), "ca.crt"),
		"registry":            loopback(r.state.Ports.Registry),
		"registry-admin":      loopback(r.state.Ports.RegistryAdmin),
		"registry-tls":        loopback(r.state.Ports.RegistryTLS),
		"audit-log":           r.plan.AuditLog(),
		"netns":               network.Path(r.plan.Names.ControlPlane()),
	}
	path, known := paths[what]
	if !known {
		names := append(slices.Sorted(maps.Keys(paths)), "socket NODE", "node NODE")
		return "", fmt.Errorf("unknown path %q: want one of %s", what, strings.Join(names, ", "))
	}
	return path, nil
}
