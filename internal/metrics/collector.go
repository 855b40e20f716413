// Package metrics turns what objects say into gauges when Prometheus asks, so
// that no series outlives its object and nothing has to be counted along.
package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// longestRead bounds the reading of the informers for one scrape.
const longestRead = 5 * time.Second

// Emit hands out one value of a gauge.
type Emit func(gauge *prometheus.Desc, value float64, labels ...string)

// Collector reads objects for each scrape.
type Collector struct {
	// Gauges are all that Read may emit.
	Gauges []*prometheus.Desc
	Reader client.Reader
	Read   func(context.Context, client.Reader, Emit) error
}

// Describe tells of the gauges.
func (c *Collector) Describe(to chan<- *prometheus.Desc) {
	for _, gauge := range c.Gauges {
		to <- gauge
	}
}

// Collect reads the objects. What cannot be read is missing in the answer: an
// alert on what is absent notices, one on a wrong value would not.
func (c *Collector) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), longestRead)
	defer cancel()
	var all []prometheus.Metric
	err := c.Read(ctx, c.Reader, func(gauge *prometheus.Desc, value float64, labels ...string) {
		all = append(all, prometheus.MustNewConstMetric(gauge, prometheus.GaugeValue, value, labels...))
	})
	if err != nil {
		return
	}
	for _, metric := range all {
		to <- metric
	}
}

// AddTo has the manager's metrics endpoint serve the gauges while it leads: of
// several replicas one tells.
func (c *Collector) AddTo(mgr ctrl.Manager) error {
	return mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		err := metrics.Registry.Register(c)
		if already := (prometheus.AlreadyRegisteredError{}); errors.As(err, &already) {
			return nil // several managers in one process: the first tells
		}
		if err != nil {
			return err
		}
		<-ctx.Done()
		metrics.Registry.Unregister(c)
		return nil
	}))
}

// EmitConditions emits 1 for each condition that holds and 0 for the others; the
// last label is the condition's type.
func EmitConditions(emit Emit, gauge *prometheus.Desc, object client.Object, conditions []metav1.Condition) {
	for i := range conditions {
		value := 0.0
		if conditions[i].Status == metav1.ConditionTrue {
			value = 1
		}
		emit(gauge, value, object.GetNamespace(), object.GetName(), conditions[i].Type)
	}
}
