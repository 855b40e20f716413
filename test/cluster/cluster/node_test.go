//go:build linux

package cluster

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubefledged/kubefledged-operator/test/cluster/components"
)

func TestMissingMetadata(t *testing.T) {
	t.Parallel()
	socket := map[string]string{"kubeadm.alpha.kubernetes.io/cri-socket": "unix:///run/containerd/containerd.sock"}
	node := components.Node{Name: "a", Labels: map[string]string{"zone": "z1", "disk": "ssd"}}
	for name, tc := range map[string]struct {
		labels, annotations map[string]string
		want                object
	}{
		"a new Node": {
			labels: map[string]string{"disk": "ssd"},
			want:   object{"labels": map[string]string{"zone": "z1"}, "annotations": socket},
		},
		"a Node with a former label": {
			labels:      map[string]string{"disk": "hdd", "zone": "z1"},
			annotations: socket,
			want:        object{"labels": map[string]string{"disk": "ssd"}},
		},
		"a socket that somebody has moved": {
			labels:      node.Labels,
			annotations: map[string]string{"kubeadm.alpha.kubernetes.io/cri-socket": "unix:///elsewhere"},
			want:        object{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var found nodeObject
			found.Metadata.Labels, found.Metadata.Annotations = tc.labels, tc.annotations
			if diff := cmp.Diff(tc.want, missingMetadata(node, found)); diff != "" {
				t.Errorf("missing (-want +got):\n%s", diff)
			}
		})
	}
}
