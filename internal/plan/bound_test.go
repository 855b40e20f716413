package plan

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// Two thousand images on one node, all with digests or all failed, fit.
func TestRecordIsBounded(t *testing.T) {
	fill := func(edit func(*v1alpha2.ImageRecord)) *ledger {
		var s v1alpha2.NodeCacheStatus
		for i := range 2000 {
			rec := cached(fmt.Sprintf("registry.example.com/some/long/team/name/image-%04d:v1.2.3", i))
			rec.Claims = []int32{1, 2, 3}
			edit(&rec)
			s.Images = append(s.Images, rec)
		}
		return newLedger(s)
	}
	for name, edit := range map[string]func(*v1alpha2.ImageRecord){
		"cached": func(rec *v1alpha2.ImageRecord) {
			rec.Digest, rec.SizeBytes = "sha256:"+strings.Repeat("a", 64), 1<<30
		},
		"failed": func(rec *v1alpha2.ImageRecord) {
			rec.State, rec.Reason, rec.Attempts = v1alpha2.ImageStateFailed, v1alpha2.ReasonImageNotFound, 17
			rec.Message = strings.Repeat("m", 256)
		},
	} {
		text, err := json.Marshal(fill(edit).sorted())
		if err != nil || len(text) > maxRecordBytes {
			t.Errorf("%s: %d bytes, %v", name, len(text), err)
		}
		if !strings.Contains(string(text), "image-1999") {
			t.Errorf("%s: a record is lost", name)
		}
	}
	small := fill(func(rec *v1alpha2.ImageRecord) { rec.Message = "why" })
	if got := small.sorted().Images[1999].Message; got != "why" {
		t.Errorf("message %q", got)
	}
}
