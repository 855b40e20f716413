package lab

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// ReportVariable names the environment variable with the file that the
// scenarios report to, a JSON object a line. Nothing is reported without it.
const ReportVariable = "E2E_REPORT"

// Fault is what one scenario reports of one fault.
type Fault struct {
	// Scenario is the name of the test.
	Scenario string `json:"scenario"`
	// Injected says what was done, and Expected what should come of it.
	Injected string `json:"injected"`
	Expected string `json:"expected"`
	// Seen is what came of it, with figures.
	Seen []string `json:"seen,omitempty"`
	// Passed is false when the scenario failed.
	Passed bool `json:"passed"`
	// Seconds is how long the scenario took, 0 when nobody measured it.
	Seconds float64 `json:"seconds,omitempty"`
}

// Report appends to the file that the environment names, at once: what a
// scenario has seen is not lost when a later one takes the test down.
func (f Fault) Report() error {
	path := os.Getenv(ReportVariable)
	if path == "" {
		return nil
	}
	line, err := json.Marshal(f)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := file.Write(append(line, '\n')); err != nil {
		return err
	}
	return file.Close()
}

// ReadFaults reads what was reported.
func ReadFaults(r io.Reader) ([]Fault, error) {
	var faults []Fault
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var fault Fault
		if err := json.Unmarshal(lines.Bytes(), &fault); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(faults)+1, err)
		}
		faults = append(faults, fault)
	}
	return faults, lines.Err()
}
