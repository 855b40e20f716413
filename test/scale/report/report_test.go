package report

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubefledged/kubefledged-operator/test/scale/accounts"
)

func aResult() *Result {
	return &Result{
		Nodes: 2, Images: 5, Pairs: 10, JobControllerQPS: 20, Machine: "2 cores of <x>", Seconds: 12,
		Floor:    Floor{Jobs: 1, Pairs: 10, Seconds: 10, Tally: accounts.Tally{Provoked: map[string]int{"x": 13}}},
		Progress: []Point{{1, 0}, {6, 5}, {12, 10}}, PeakMemory: 50 << 20,
		Operations: []Operation{
			{Name: "create", ServerWrites: 16, Tally: accounts.Tally{Own: map[string]int{"create jobs": 2, "delete jobs": 2}, Provoked: map[string]int{"y": 11}, Apart: 1}},
			{Name: "automatic refresh", Tally: accounts.Tally{Own: map[string]int{}}},
		},
	}
}

func TestFigures(t *testing.T) {
	got := aResult().Figures()
	for name, want := range map[string]float64{
		"secondsToFloor": 1.2, "writesPerPair": 1.5, "ownWritesPerPair": 0.4, "floorWritesPerPair": 1.3,
		"automaticRefreshJobs": 0, "auditToServerWrites": 1, "peakMemoryMiB": 50,
	} {
		if value, measured := got[name]; !measured || value != want {
			t.Errorf("%s is %g (measured: %t), want %g", name, value, measured, want)
		}
	}
	if _, measured := got["restartJobs"]; measured {
		t.Error("a figure of an operation that was not done")
	}
}

func TestCheck(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ranges.yaml")
	content := `
2x5:
  secondsToFloor: {max: 1.2}
  writesPerPair: {min: 1.6, max: 2}
  ownWritesPerPair: {max: 0.3}
  restartJobs: {max: 0}
`
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	ranges, err := ReadRanges(file)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"ownWritesPerPair is 0.4, at most 0.3 is expected",
		"restartJobs was not measured",
		"writesPerPair is 1.5, at least 1.6 is expected",
	}
	if diff := cmp.Diff(want, aResult().Check(ranges)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	delete(ranges, "2x5")
	if wrong := aResult().Check(ranges); len(wrong) != 1 {
		t.Errorf("without ranges: %v", wrong)
	}
}

// Every figure of the committed ranges must be one that exists.
func TestCommittedRanges(t *testing.T) {
	ranges, err := ReadRanges("../ranges.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r := aResult()
	for _, name := range []string{"restart of the controller", "refresh on demand", "idle"} {
		r.Operations = append(r.Operations, Operation{Name: name})
	}
	r.IdleSeconds, r.Held.AfterPurge = 10, new(int)
	known := r.Figures()
	for size, wanted := range ranges {
		for name, within := range wanted {
			if _, exists := known[name]; !exists || within.Min == nil && within.Max == nil {
				t.Errorf("%s: %s is no figure, or has no bound", size, name)
			}
		}
	}
}

func TestPercentiles(t *testing.T) {
	var values []float64
	for i := 100; i > 0; i-- {
		values = append(values, float64(i))
	}
	want := Latency{Count: 100, P50: 50, P99: 99, Max: 100}
	if got := Percentiles(values); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := Percentiles(nil); got != (Latency{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

func TestPlotIsXML(t *testing.T) {
	text := Plot(aResult())
	decoder := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
	}
	if !strings.Contains(text, "10 pairs in 12 s") || strings.Contains(text, "NaN") {
		t.Errorf("the plot:\n%s", text)
	}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "scale")
	if err := Write(dir, aResult()); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(dir + ".md")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| from apply to Succeeded | 12 s |", "scale/2x5-20qps.svg", "create jobs 2, delete jobs 2"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	all, err := ReadAll(dir)
	if err != nil || len(all) != 1 {
		t.Fatalf("read %d results, %v", len(all), err)
	}
	if diff := cmp.Diff(aResult(), all[0]); diff != "" {
		t.Errorf("what is read is not what was written (-want +got):\n%s", diff)
	}
}

// The committed page is that of the committed results.
func TestCommittedPage(t *testing.T) {
	for _, name := range []string{"scale", "batches"} {
		dir := "../../../docs/benchmarks/" + name
		all, err := ReadAll(dir)
		if err != nil || len(all) == 0 {
			t.Fatalf("read %d results, %v", len(all), err)
		}
		page, err := os.ReadFile(dir + ".md")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Page(name, all), string(page)); diff != "" {
			t.Errorf("run go run ./test/scale -page docs/benchmarks/%s (-want +got):\n%s", name, diff)
		}
	}
}
