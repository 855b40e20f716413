//go:build e2e

// Package operator has the scenarios of installing, changing and removing the
// image cache: `sudo make e2e-operator`, and `make e2e-operator-full` for all of
// them in their longer forms.
package operator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
)

// Where scenarios run: one after another on the first cluster, and on the
// second the one that keeps an operator idle for minutes.
var (
	busy  = &site{name: "operator"}
	quiet = &site{name: "operator-idle"}
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

// run runs the scenarios, which start the clusters that they need, and takes
// those down again, whatever happened. With E2E_KEEP they stay, and running ones
// are used with the images they have.
func run(m *testing.M) (int, error) {
	code := m.Run()
	if keeps() {
		for _, s := range []*site{busy, quiet} {
			fmt.Printf("--- kept: bin/localcluster kubectl --name %s get nodes; bin/localcluster down --name %[1]s\n", s.name)
		}
		return code, nil
	}
	return code, errors.Join(busy.down(context.Background()), quiet.down(context.Background()))
}

func keeps() bool { return os.Getenv("E2E_KEEP") != "" }

// full tells whether the longer forms run, which do not fit the time of CI.
func full() bool { return os.Getenv("E2E_FULL") != "" }

// fullOnly leaves a scenario to `make e2e-operator-full`, or to the scenarios of
// CI that do the same on their way.
func fullOnly(t *testing.T) {
	t.Helper()
	if !full() {
		t.Skip("in make e2e-operator-full")
	}
}
