package kubefledged

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/metrics"
	"github.com/kubefledged/kubefledged-operator/internal/release"
)

var (
	actions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "kubefledged_operator_release_actions_total",
		Help: "What was done with Helm releases, by action and result: succeeded or failed.",
	}, []string{"action", "result"})
	repairs = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "kubefledged_operator_drift_repairs_total",
		Help: "Objects that somebody deleted or edited and that were restored, by kind.",
	}, []string{"kind"})

	// Prometheus adds a label "namespace" of its own, that of the pod.
	conditionGauge = prometheus.NewDesc("kubefledged_operator_condition",
		"Conditions of KubeFledgeds: 1 if it is True, else 0.", []string{"kubefledged_namespace", "kubefledged", "type"}, nil)
	releaseGauge = prometheus.NewDesc("kubefledged_operator_release_info",
		"The release that is deployed for a KubeFledged; always 1.", []string{"kubefledged_namespace", "kubefledged", "chart_version", "app_version"}, nil)
)

func init() { ctrlmetrics.Registry.MustRegister(actions, repairs) }

// countAction counts an action that changes something by how it ended.
func countAction(action release.Action, err error) {
	switch action {
	case release.Rest, release.Wait, release.Refuse:
		return
	}
	result := "succeeded"
	if err != nil {
		result = "failed"
	}
	actions.WithLabelValues(string(action), result).Inc()
}

// Gauges are what the KubeFledgeds say of themselves.
func Gauges(from client.Reader) *metrics.Collector {
	return &metrics.Collector{Gauges: []*prometheus.Desc{conditionGauge, releaseGauge}, Reader: from, Read: readGauges}
}

func readGauges(ctx context.Context, from client.Reader, emit metrics.Emit) error {
	var all v1alpha2.KubeFledgedList
	if err := from.List(ctx, &all); err != nil {
		return err
	}
	for i := range all.Items {
		kf := &all.Items[i]
		metrics.EmitConditions(emit, conditionGauge, kf, kf.Status.Conditions)
		if kf.Status.ChartVersion != "" {
			emit(releaseGauge, 1, kf.Namespace, kf.Name, kf.Status.ChartVersion, kf.Status.AppVersion)
		}
	}
	return nil
}
