package nodecache

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

var (
	outcomes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "kubefledged_image_outcomes_total",
		Help: "What became of images on nodes, by the state they got: cached, failed, deferred, missing or removing; and the reason of a failure.",
	}, []string{"state", "reason"})
	jobDuration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "kubefledged_job_duration_seconds",
		Help:    "Time from the creation of a Job until its result is recorded and it is deleted, by kind.",
		Buckets: prometheus.ExponentialBuckets(0.5, 2, 13), // half a second to an hour
	}, []string{"kind"})
)

func init() { metrics.Registry.MustRegister(outcomes, jobDuration) }

// imageKey names an image record.
type imageKey struct{ image, identity string }

// countOutcomes counts the images of a record that was written whose outcome is new.
func countOutcomes(before *v1alpha2.NodeCache, now *v1alpha2.NodeCacheStatus) {
	known := make(map[imageKey]*v1alpha2.ImageRecord, len(before.Status.Images))
	for i := range before.Status.Images {
		image := &before.Status.Images[i]
		known[imageKey{image.Image, image.Identity}] = image
	}
	for i := range now.Images {
		image := &now.Images[i]
		was := known[imageKey{image.Image, image.Identity}]
		if was != nil && was.State == image.State && was.Time.Equal(&image.Time) {
			continue
		}
		outcomes.WithLabelValues(strings.ToLower(string(image.State)), image.Reason).Inc()
	}
}

// countJob measures a Job that is deleted since it is done with.
func countJob(seen *observed, uid types.UID) {
	for i := range seen.input.Jobs {
		if job := &seen.input.Jobs[i]; job.UID == uid && !job.Deleting && !job.Gone {
			jobDuration.WithLabelValues(strings.ToLower(string(job.Kind))).Observe(seen.input.Now.Sub(job.Created).Seconds())
		}
	}
}
