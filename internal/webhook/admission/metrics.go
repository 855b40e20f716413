package admission

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// Verdicts of the metric.
const (
	verdictAllowed    = "allowed"
	verdictRefused    = "refused"
	verdictBadRequest = "bad_request"
	verdictError      = "error"
)

var (
	requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "kubefledged_webhook_requests_total",
		Help: "Requests by operation (empty when the request could not be read) and verdict: allowed, refused, bad_request or error.",
	}, []string{"operation", "verdict"})
	duration = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "kubefledged_webhook_request_duration_seconds",
		Help:    "How long answers take.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	})
)

func init() { metrics.Registry.MustRegister(requests, duration) }

// count takes only operations that exist, so that nobody can make up series.
func count(operation, verdict string) {
	switch operation {
	case "CREATE", "UPDATE", "DELETE", "CONNECT":
	default:
		operation = ""
	}
	requests.WithLabelValues(operation, verdict).Inc()
}
