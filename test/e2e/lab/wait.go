package lab

import (
	"context"
	"fmt"
	"time"
)

// pollInterval is how often something is looked at while it is waited for.
const pollInterval = 200 * time.Millisecond

// Poll looks until it is done, for at most limit. The error tells what was
// waited for and what was seen last.
func Poll(ctx context.Context, what string, limit time.Duration, look func(context.Context) (done bool, seen string)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	last := "nothing"
	for {
		done, seen := look(ctx)
		if done {
			return nil
		}
		if ctx.Err() == nil && seen != "" {
			last = seen
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not within %s; last seen: %s", what, limit, last)
		case <-time.After(pollInterval):
		}
	}
}
