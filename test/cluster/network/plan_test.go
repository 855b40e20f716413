package network

import (
	"net"
	"strings"
	"testing"
)

func TestPlanHasRoomForAllNodes(t *testing.T) {
	t.Parallel()
	_, nodes, err := net.ParseCIDR(ControlPlane)
	if err != nil {
		t.Fatal(err)
	}
	_, pods, err := net.ParseCIDR(PodCIDR)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{ControlPlaneIP: true}
	for index := range MaxNodes {
		ip, cidr := NodeIP(index), NodePodCIDR(index)
		subnet, _, err := net.ParseCIDR(cidr)
		if err != nil || !pods.Contains(subnet) {
			t.Errorf("node %d: pods' subnet %s is not in %s (%v)", index, cidr, PodCIDR, err)
		}
		if !nodes.Contains(ip) || seen[ip.String()] || seen[cidr] {
			t.Errorf("node %d: %s or %s is outside or taken", index, ip, cidr)
		}
		seen[ip.String()], seen[cidr] = true, true
	}
	if pods.Contains(net.ParseIP(DNSIP)) || nodes.Contains(net.ParseIP(DNSIP)) {
		t.Error("the Services' range overlaps another one")
	}
}

func TestNamesAreShortAndDistinct(t *testing.T) {
	t.Parallel()
	one, other := NamesFor("/a/clusters/x"), NamesFor("/b/clusters/x")
	if one == other {
		t.Error("clusters of one name in two directories share their namespaces")
	}
	long := strings.Repeat("n", 253)
	if name := one.Node(long); len(name) > 40 || name == one.ControlPlane() {
		t.Errorf("namespace %s", name)
	}
	// A device's name has at most 15 characters.
	if device := "veth" + ShortHash(long); len(device) > 15 {
		t.Errorf("device %s", device)
	}
}
