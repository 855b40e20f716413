package supervise

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// Task is one step of bringing a cluster up.
type Task struct {
	Name  string
	Needs []string
	Run   func(ctx context.Context) error
}

// RunAll runs every task as soon as those it needs are done, and returns the
// first error, which also cancels the others. Needs that are not among the
// tasks count as done. The needs must not form a cycle.
func RunAll(ctx context.Context, tasks []Task) error {
	done := map[string]chan struct{}{}
	for _, task := range tasks {
		done[task.Name] = make(chan struct{})
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, task := range tasks {
		group.Go(func() error {
			for _, need := range task.Needs {
				if err := await(ctx, done[need]); err != nil {
					return err
				}
			}
			if err := task.Run(ctx); err != nil {
				return err
			}
			close(done[task.Name])
			return nil
		})
	}
	return group.Wait()
}

// await waits for the channel to close; no channel is one that is closed.
func await(ctx context.Context, done <-chan struct{}) error {
	if done == nil {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-done:
		return nil
	}
}
