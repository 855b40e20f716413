package plan

import (
	"strings"
	"testing"
)

func TestSocketFor(t *testing.T) {
	const (
		containerd = "/run/containerd/containerd.sock"
		k3s        = "/run/k3s/containerd/containerd.sock"
	)
	long := "/" + strings.Repeat("x", 106)
	for name, c := range map[string]struct{ flag, annotation, kubelet, runtime, want string }{
		"containerd":                  {"", "", "v1.37.2", "containerd://2.4.2", containerd},
		"CRI-O":                       {"", "", "v1.37.2", "cri-o://1.36.0", "/var/run/crio/crio.sock"},
		"Docker":                      {"", "", "v1.37.2", "docker://28.0.1", "/run/cri-dockerd.sock"},
		"k3s":                         {"", "", "v1.37.2+k3s1", "containerd://2.4.2-k3s1", k3s},
		"rke2":                        {"", "", "v1.37.2+rke2r1", "containerd://2.4.2-k3s1", k3s},
		"k0s":                         {"", "", "v1.37.2+k0s", "containerd://2.4.2", "/run/k0s/containerd.sock"},
		"k3s with Docker":             {"", "", "v1.37.2+k3s1", "docker://28.0.1", "/run/cri-dockerd.sock"},
		"unknown":                     {"", "", "v1.37.2", "frakti://1", ""},
		"nothing told":                {"", "", "", "", ""},
		"annotation":                  {"", "unix:///run/a.sock", "v1.37.2", "containerd://2.4.2", "/run/a.sock"},
		"annotation without scheme":   {"", "/run/a.sock", "v1.37.2", "containerd://2.4.2", "/run/a.sock"},
		"annotation, runtime unknown": {"", "/var/run/a-b_c.1@2+3~/x.sock", "v1.37.2", "frakti://1", "/var/run/a-b_c.1@2+3~/x.sock"},
		"flag":                        {"unix:///run/f.sock", "/run/a.sock", "v1.37.2+k3s1", "containerd://2.4.2", "/run/f.sock"},
		"as long as may be":           {"", long, "v1.37.2", "containerd://2.4.2", long},
		"longer":                      {"", long + "x", "v1.37.2", "containerd://2.4.2", containerd},
	} {
		if got := SocketFor(c.flag, c.annotation, c.kubelet, c.runtime); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// Annotations of nodes are written by others.
func TestOddSocketAnnotationsAreIgnored(t *testing.T) {
	for _, annotation := range []string{
		"run/a.sock", "unix://run/a.sock", "unix:///", "/", "//", "/run//a.sock", "/run/", "/run/../etc/a.sock", "/..", "tcp://1.2.3.4:5",
		"npipe:////./pipe/containerd-containerd", "/run/a sock", "/run/a.sock --keep=x", "/run/$(reboot)", "/run/a;b", "/run/a\n", "/run/a:b",
		"/run/\xff", "/run/é", `/run/"a"`, "unix://unix:///run/a.sock",
	} {
		if got := SocketFor("", annotation, "v1.37.2", "containerd://2.4.2"); got != "/run/containerd/containerd.sock" {
			t.Errorf("annotation %q: got %q", annotation, got)
		}
	}
}
