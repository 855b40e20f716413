package nodecache

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// An outcome counts when it is new, and not again when something else of the
// record changes.
func TestCountOutcomes(t *testing.T) {
	first, later := metav1.NewTime(time.Unix(100, 0)), metav1.NewTime(time.Unix(200, 0))
	record := func(image string, state v1alpha2.ImageState, reason string, at metav1.Time, claims ...int32) v1alpha2.ImageRecord {
		return v1alpha2.ImageRecord{Image: image, Identity: "node", State: state, Reason: reason, Time: at, Claims: claims}
	}
	var before v1alpha2.NodeCache
	before.Status.Images = []v1alpha2.ImageRecord{
		record("kept", v1alpha2.ImageStateCached, "", first),
		record("again", v1alpha2.ImageStateFailed, "test-no-such-image", first),
		record("goes", v1alpha2.ImageStateCached, "", first),
	}
	now := &v1alpha2.NodeCacheStatus{Images: []v1alpha2.ImageRecord{
		record("kept", v1alpha2.ImageStateCached, "", first, 1),
		record("again", v1alpha2.ImageStateFailed, "test-no-such-image", later),
		record("new", v1alpha2.ImageStateFailed, "test-unauthorized", later),
		record("goes", v1alpha2.ImageStateRemoving, "test-removing", first),
	}}
	countOutcomes(&before, now)
	got := map[string]float64{}
	for _, labels := range [][2]string{{"failed", "test-no-such-image"}, {"failed", "test-unauthorized"}, {"removing", "test-removing"}, {"cached", ""}} {
		var metric dto.Metric
		if err := outcomes.WithLabelValues(labels[0], labels[1]).Write(&metric); err != nil {
			t.Fatal(err)
		}
		got[labels[1]] = metric.GetCounter().GetValue()
	}
	want := map[string]float64{"test-no-such-image": 1, "test-unauthorized": 1, "test-removing": 1, "": 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
