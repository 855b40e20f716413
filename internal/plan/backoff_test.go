package plan

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// TestRetryAt holds the bounds: at least the wait, at most a fifth more.
func TestRetryAt(t *testing.T) {
	tests := map[string]struct {
		reason   string
		attempts int32
		wait     time.Duration
	}{
		"transient, first":  {v1alpha2.ReasonRegistryUnavailable, 1, 10 * time.Second},
		"transient, third":  {v1alpha2.ReasonRegistryUnavailable, 3, 40 * time.Second},
		"transient, most":   {v1alpha2.ReasonRegistryUnavailable, 1000, 10 * time.Minute},
		"no attempts":       {v1alpha2.ReasonRegistryUnavailable, 0, 10 * time.Second},
		"permanent, first":  {v1alpha2.ReasonImageNotFound, 1, 5 * time.Minute},
		"permanent, second": {v1alpha2.ReasonUnauthorized, 2, 10 * time.Minute},
		"took too long":     {v1alpha2.ReasonPullDeadlineExceeded, 1, 5 * time.Minute},
		"permanent, most":   {v1alpha2.ReasonInvalidImageName, 1000, time.Hour},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			rec := failed("a", tc.reason, tc.attempts, 0)
			got := retryAt(&rec, "uid").Sub(now)
			if got < tc.wait || got > tc.wait+tc.wait/5 {
				t.Errorf("waits %s, want %s to a fifth more", got, tc.wait)
			}
		})
	}
}

func TestJitterIsStableAndSpread(t *testing.T) {
	if first, second := jitter(time.Hour, "a"), jitter(time.Hour, "a"); first != second {
		t.Errorf("two replicas disagree: %s, %s", first, second)
	}
	seen := map[time.Duration]bool{}
	for i := range 1000 {
		rec := failed("a", v1alpha2.ReasonImageNotFound, 1, 0)
		seen[retryAt(&rec, types.UID(rune('a'+i))).Sub(now)] = true
	}
	if len(seen) < 300 {
		t.Errorf("a thousand nodes come back at %d moments only", len(seen))
	}
}
