package plan

import "testing"

func TestMethodFor(t *testing.T) {
	tests := map[string]struct {
		kubelet, runtime string
		want             Method
		force            Method
	}{
		"new":                 {kubelet: "v1.37.2", runtime: "containerd://2.4.2", want: MethodImageVolume},
		"oldest with volumes": {kubelet: "v1.35.0", runtime: "containerd://2.1.0", want: MethodImageVolume},
		"cloud suffix":        {kubelet: "v1.35.1-eks-123abc", runtime: "containerd://2.1.4+k3s1", want: MethodImageVolume},
		"old kubelet":         {kubelet: "v1.34.9", runtime: "containerd://2.4.2", want: MethodExec},
		"old containerd":      {kubelet: "v1.37.2", runtime: "containerd://1.7.27", want: MethodExec},
		"CRI-O":               {kubelet: "v1.35.0", runtime: "cri-o://1.33.0", want: MethodImageVolume},
		"old CRI-O":           {kubelet: "v1.35.0", runtime: "cri-o://1.32.5", want: MethodExec},
		"docker":              {kubelet: "v1.37.2", runtime: "docker://28.0.0", want: MethodExec},
		"nothing told":        {kubelet: "", runtime: "", want: MethodExec},
		"forced exec":         {kubelet: "v1.37.2", runtime: "containerd://2.4.2", force: MethodExec, want: MethodExec},
		"forced volumes":      {kubelet: "v1.34.1", runtime: "containerd://1.7.27", force: MethodImageVolume, want: MethodImageVolume},
		"field unknown":       {kubelet: "v1.30.4", runtime: "containerd://2.1.0", force: MethodImageVolume, want: MethodExec},
		"cannot be parsed":    {kubelet: "devel", runtime: "containerd://devel", want: MethodExec},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := MethodFor(tc.force, tc.kubelet, tc.runtime); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
