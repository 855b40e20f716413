package network

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

const bridge = "br0"

// EnsureControlPlane makes the control plane's namespace and its bridge.
func (n Names) EnsureControlPlane() error {
	if err := ensureNamespace(n.ControlPlane()); err != nil {
		return fmt.Errorf("network namespace of the control plane: %w", err)
	}
	return Do(n.ControlPlane(), func() error {
		link := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: bridge}}
		if err := ignoreExists(netlink.LinkAdd(link)); err != nil {
			return err
		}
		if err := addAddress(bridge, ControlPlaneIP+"/24"); err != nil {
			return err
		}
		if err := setUp(bridge); err != nil {
			return err
		}
		// The API server refuses to start where no default route tells it
		// which address is its own.
		return addRoute(&netlink.Route{LinkIndex: indexOf(bridge), Scope: netlink.SCOPE_LINK, Dst: allAddresses()})
	})
}

// EnsureNode makes the node's namespace, connects it to the bridge, and routes
// its pods' subnet to it.
func (n Names) EnsureNode(node string, index int) error {
	name := n.Node(node)
	if err := ensureNamespace(name); err != nil {
		return fmt.Errorf("network namespace of node %s: %w", node, err)
	}
	if err := n.connect(name, ShortHash(node)); err != nil {
		return fmt.Errorf("connecting node %s: %w", node, err)
	}
	if err := Do(name, func() error { return configureNode(index) }); err != nil {
		return fmt.Errorf("network of node %s: %w", node, err)
	}
	return Do(n.ControlPlane(), func() error {
		_, subnet, err := net.ParseCIDR(NodePodCIDR(index))
		if err != nil {
			return err
		}
		return addRoute(&netlink.Route{Dst: subnet, Gw: NodeIP(index)})
	})
}

// connect makes a veth pair between the bridge and the node's namespace, where
// it is called eth0.
func (n Names) connect(node, suffix string) error {
	if Do(node, func() error { _, err := netlink.LinkByName("eth0"); return err }) == nil {
		return nil
	}
	target, err := netns.GetFromName(node)
	if err != nil {
		return err
	}
	defer target.Close()
	return Do(n.ControlPlane(), func() error {
		parent, err := netlink.LinkByName(bridge)
		if err != nil {
			return err
		}
		pair := &netlink.Veth{
			LinkAttrs:     netlink.LinkAttrs{Name: "veth" + suffix, MasterIndex: parent.Attrs().Index},
			PeerName:      "eth0",
			PeerNamespace: netlink.NsFd(target),
		}
		if err := netlink.LinkAdd(pair); err != nil {
			return err
		}
		return setUp(pair.Name)
	})
}

func configureNode(index int) error {
	if err := addAddress("eth0", NodeIP(index).String()+"/24"); err != nil {
		return err
	}
	if err := setUp("eth0"); err != nil {
		return err
	}
	return addRoute(&netlink.Route{LinkIndex: indexOf("eth0"), Dst: allAddresses(), Gw: net.ParseIP(ControlPlaneIP)})
}

// RemoveNode removes the node's namespace and the route to it; the veth pair
// goes with the namespace.
func (n Names) RemoveNode(node string, index int) error {
	if usable(n.ControlPlane()) {
		err := Do(n.ControlPlane(), func() error {
			_, subnet, err := net.ParseCIDR(NodePodCIDR(index))
			if err != nil {
				return err
			}
			err = netlink.RouteDel(&netlink.Route{Dst: subnet})
			if errors.Is(err, syscall.ESRCH) {
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
		if err := Do(n.ControlPlane(), func() error { return removeLink("veth" + ShortHash(node)) }); err != nil {
			return err
		}
	}
	return removeNamespace(n.Node(node))
}

// removeLink deletes the device now: the namespace of the other end lives on
// until the last socket in it is closed.
func removeLink(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		var missing netlink.LinkNotFoundError
		if errors.As(err, &missing) {
			return nil
		}
		return err
	}
	return netlink.LinkDel(link)
}

func allAddresses() *net.IPNet {
	return &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}
}

func setUp(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}

func addAddress(name, cidr string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	address, err := netlink.ParseAddr(cidr)
	if err != nil {
		return err
	}
	return ignoreExists(netlink.AddrAdd(link, address))
}

func addRoute(route *netlink.Route) error { return ignoreExists(netlink.RouteAdd(route)) }

// indexOf returns the device's index, 0 when there is none, which the kernel
// then refuses.
func indexOf(name string) int {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return 0
	}
	return link.Attrs().Index
}

func ignoreExists(err error) error {
	if errors.Is(err, syscall.EEXIST) {
		return nil
	}
	return err
}
