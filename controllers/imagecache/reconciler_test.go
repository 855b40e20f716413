package imagecache

import (
	"testing"
	"time"
)

func TestDebounce(t *testing.T) {
	for nodes, want := range map[int]time.Duration{
		0: 20 * time.Millisecond, 1: 20 * time.Millisecond, 100: time.Second, 5000: 5 * time.Second,
	} {
		if got := debounce(nodes); got != want {
			t.Errorf("%d nodes: got %s, want %s", nodes, got, want)
		}
	}
}
