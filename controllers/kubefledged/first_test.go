package kubefledged

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
)

func made(name string, second int, finalizers ...string) v1alpha2.KubeFledged {
	at := time.Date(2026, 1, 1, 0, 0, second, 0, time.UTC)
	return v1alpha2.KubeFledged{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, CreationTimestamp: metav1.NewTime(at), Finalizers: finalizers}}
}

func TestFirst(t *testing.T) {
	for name, test := range map[string]struct {
		all  []v1alpha2.KubeFledged
		want string
	}{
		"one":                   {[]v1alpha2.KubeFledged{made("a", 1)}, "a"},
		"the oldest":            {[]v1alpha2.KubeFledged{made("a", 2), made("b", 1)}, "b"},
		"the oldest, not begun": {[]v1alpha2.KubeFledged{made("a", 2, v1alpha2.FinalizerUninstall), made("b", 1)}, "b"},
		"of one second":         {[]v1alpha2.KubeFledged{made("b", 1), made("a", 1)}, "a"},
		"of one second, begun":  {[]v1alpha2.KubeFledged{made("a", 1), made("b", 1, v1alpha2.FinalizerUninstall)}, "b"},
		"somebody's finalizer":  {[]v1alpha2.KubeFledged{made("b", 1, "example.com/x"), made("a", 1)}, "a"},
	} {
		if got := first(test.all); got.Name != test.want {
			t.Errorf("%s: %s", name, got.Name)
		}
	}
	if first(nil) != nil {
		t.Error("one of none")
	}
}
