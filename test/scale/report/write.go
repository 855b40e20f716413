package report

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Print writes the figures and the cost of each operation for people.
func Print(out io.Writer, r *Result) {
	figures := r.Figures()
	for _, name := range slices.Sorted(maps.Keys(figures)) {
		fmt.Fprintf(out, "%-28s %.4g\n", name, figures[name])
	}
	for i := range r.Operations {
		op := &r.Operations[i]
		fmt.Fprintf(out, "%s: own %v, provoked %v, reads %v, refused %d, server %d, apart %d\n",
			op.Name, op.Tally.Own, op.Tally.Provoked, op.Tally.Reads, op.Tally.Refused, op.ServerWrites, op.Tally.Apart)
	}
}

// Name is what the files of a run are called.
func (r *Result) Name() string {
	name := fmt.Sprintf("%s-%dqps", r.Size(), r.JobControllerQPS)
	if r.ImagesPerJob > 0 {
		name += fmt.Sprintf("-%dperjob", r.ImagesPerJob)
	}
	return name
}

// Write writes the result and its plot into a directory, and its page.
func Write(dir string, r *Result) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	base := filepath.Join(dir, r.Name())
	if err := os.WriteFile(base+".json", append(text, '\n'), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(base+".svg", []byte(Plot(r)), 0o644); err != nil {
		return err
	}
	return WritePage(dir)
}

// WritePage writes the page of all results in a directory beside it, named
// after it.
func WritePage(dir string) error {
	all, err := ReadAll(dir)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Clean(dir)+".md", []byte(Page(filepath.Base(dir), all)), 0o644)
}
