package plan

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

// TestStatusIsBounded: everything fails everywhere, with the longest names and
// the worst messages, and the status fits.
func TestStatusIsBounded(t *testing.T) {
	long := strings.Repeat("a", 450)
	tests := map[string]struct {
		nodes, images int
		ref, message  string
	}{
		"50 images on 5,000 nodes": {5000, 50, "registry.example/app", "not found"},
		"long messages":            {5000, 50, "registry.example/app", strings.Repeat("x", outcome.MaxMessage)},
		"messages JSON escapes":    {5000, 50, "registry.example/app", strings.Repeat("<", outcome.MaxMessage)},
		"invalid UTF-8":            {1000, 50, "registry.example/app", strings.Repeat("\xff", outcome.MaxMessage)},
		"quotes":                   {1000, 50, "registry.example/app", strings.Repeat(`"`, outcome.MaxMessage)},
		"2,048 long images":        {100, 2048, "registry.example/" + long, "not found"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			c := cache("c", many(tc.ref, tc.images)...)
			in := CacheInput{Now: now, Cache: c, Nodes: failingNodes(tc.nodes, c, tc.message)}
			d := Status(in)
			text, err := json.Marshal(d.Status)
			if err != nil {
				t.Fatal(err)
			}
			if len(text) > 256<<10 {
				t.Errorf("%d bytes", len(text))
			}
			listed := 0
			for _, nodes := range d.Status.Failures {
				listed += len(nodes)
			}
			if total := listed + int(d.Status.FailuresOmitted); total != tc.nodes*tc.images {
				t.Errorf("%d failures listed or omitted, want %d", total, tc.nodes*tc.images)
			}
			if total := len(d.Status.Images) + int(d.Status.ImagesOmitted); total != tc.images {
				t.Errorf("%d images listed or omitted, want %d", total, tc.images)
			}
			if listed == 0 || len(d.Status.Images) == 0 {
				t.Error("nothing is listed")
			}
		})
	}
}

func failingNodes(n int, c *Cache, message string) []NodeView {
	var recs []v1alpha2.ImageRecord
	for _, image := range c.Lists[0].Images {
		rec := failed(image.Ref, v1alpha2.ReasonImageNotFound, 1, time.Hour)
		rec.Message = message
		recs = append(recs, rec)
	}
	r := record(recs...)
	views := make([]NodeView, 0, n)
	for i := range n {
		views = append(views, view(fmt.Sprintf("node-%04d.example.com", i), r))
	}
	return views
}
