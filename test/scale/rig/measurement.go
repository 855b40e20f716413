package rig

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/kubefledged/kubefledged-operator/test/scale/report"
)

// Measurement is one run and what becomes of its result.
type Measurement struct {
	Settings Settings
	// Ranges is the file to compare the figures to, and Directory where the
	// results go; empty for not.
	Ranges, Directory string
}

// Do runs it, tells out, and returns an error when a figure is out of range.
func (m *Measurement) Do(ctx context.Context, out io.Writer) (err error) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return errors.New("it starts a control plane in a network namespace, so it needs root on Linux")
	}
	r, err := New(m.Settings, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Down(context.WithoutCancel(ctx))) }()
	if err := r.Up(ctx); err != nil {
		return err
	}
	result, err := r.Run(ctx, m.write)
	if err != nil {
		return err
	}
	report.Print(out, result)
	return m.check(result)
}

func (m *Measurement) write(result *report.Result) error {
	if m.Directory == "" {
		return nil
	}
	return report.Write(m.Directory, result)
}

func (m *Measurement) check(result *report.Result) error {
	if m.Ranges == "" {
		return nil
	}
	ranges, err := report.ReadRanges(m.Ranges)
	if err != nil {
		return err
	}
	if wrong := result.Check(ranges); len(wrong) > 0 {
		return errors.New("out of range:\n  " + strings.Join(wrong, "\n  "))
	}
	return nil
}
