package rig

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
)

// parallel calls do for the numbers from from to below to, several at once, and
// returns the first error.
func parallel(ctx context.Context, workers, from, to int, do func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := atomic.Int64{}
	next.Store(int64(from))
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < to && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

func encoded(obj any) (int, error) {
	text, err := json.Marshal(obj)
	return len(text), err
}
