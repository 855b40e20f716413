package kubefledged

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/kubefledged/kubefledged-operator/internal/release"
)

func TestOptions(t *testing.T) {
	t.Setenv(envControllerImage, "registry.test/c:1")
	t.Setenv(envCRIClientImage, "registry.test/h:1")
	t.Setenv(envWatchNamespace, "a, b,")
	t.Setenv(envPodNamespace, "here")
	o := DefaultOptions()
	want := Options{
		Images: release.Images{Controller: "registry.test/c:1", CRIClient: "registry.test/h:1"}, Namespace: "here",
		WatchNamespaces: []string{"a", "b"}, LeaderElect: true, MetricsAddress: ":8080", ProbeAddress: ":8081",
	}
	if diff := cmp.Diff(want, o); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.AddFlags(fs)
	if err := fs.Parse([]string{"--watch-namespaces=c", "--controller-image=not an image"}); err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(o.WatchNamespaces, []string{"c"}) || o.Validate() == nil {
		t.Errorf("%+v, %v", o, o.Validate())
	}
}
