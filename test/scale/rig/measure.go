package rig

import (
	"bytes"
	"context"
	"fmt"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/kubefledged/kubefledged-operator/test/scale/accounts"
	"github.com/kubefledged/kubefledged-operator/test/scale/report"
)

// mark is where a measurement begins.
type mark struct {
	log    int64
	writes float64
	at     time.Time
	// process is the controller's, and used what that has used.
	process *process
	used    usage
}

func (r *Rig) mark(ctx context.Context) (mark, error) {
	m := mark{at: clock.Now(), process: r.controller}
	var err error
	if m.writes, err = r.serverWrites(ctx); err != nil {
		return m, err
	}
	if r.controller != nil {
		if m.used, err = r.controller.usage(); err != nil {
			return m, err
		}
	}
	m.log, err = r.log.Size()
	return m, err
}

// cpu returns what the controller has computed until end. One that was started
// in between counts from its own beginning.
func (m *mark) cpu(end *mark) time.Duration {
	if m.process != end.process {
		return end.used.CPU
	}
	return end.used.CPU - m.used.CPU
}

// since returns what happened since a mark, and the requests themselves.
func (r *Rig) since(ctx context.Context, m mark, name string) (report.Operation, []accounts.Request, error) {
	end, err := r.mark(ctx)
	if err != nil {
		return report.Operation{}, nil, err
	}
	requests, err := r.log.Between(m.log, end.log)
	if err != nil {
		return report.Operation{}, nil, err
	}
	op := report.Operation{
		Name: name, Seconds: end.at.Sub(m.at).Seconds(), CPUSeconds: m.cpu(&end).Seconds(),
		Tally: accounts.Count(requests), ServerWrites: int(end.writes - m.writes),
	}
	return op, requests, nil
}

// measure does something and returns what it cost.
func (r *Rig) measure(ctx context.Context, name string, do func(context.Context) error) (report.Operation, []accounts.Request, error) {
	r.say("%s", name)
	m, err := r.mark(ctx)
	if err != nil {
		return report.Operation{}, nil, err
	}
	if err := do(ctx); err != nil {
		return report.Operation{}, nil, fmt.Errorf("%s: %w", name, err)
	}
	op, requests, err := r.since(ctx, m, name)
	if err == nil {
		r.say("  %.1f s, %d own writes, %d provoked, CPU %.2f s", op.Seconds,
			accounts.Sum(op.Tally.Own), accounts.Sum(op.Tally.Provoked), op.CPUSeconds)
	}
	return op, requests, err
}

// serverWrites returns how many writes the API server has counted itself, but
// for those of leases: a check on the audit log.
func (r *Rig) serverWrites(ctx context.Context) (float64, error) {
	text, err := r.typed.CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return 0, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return 0, fmt.Errorf("read the API server's metrics: %w", err)
	}
	sum := 0.0
	for _, metric := range families["apiserver_request_total"].GetMetric() {
		if counts(metric) {
			sum += metric.GetCounter().GetValue()
		}
	}
	return sum, nil
}

// counts tells a counter of writes.
func counts(metric *dto.Metric) bool {
	label := map[string]string{}
	for _, pair := range metric.GetLabel() {
		label[pair.GetName()] = pair.GetValue()
	}
	switch label["verb"] {
	case "POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION":
		return label["resource"] != "leases"
	}
	return false
}
