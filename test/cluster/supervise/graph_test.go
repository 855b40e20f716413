package supervise

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
)

func TestRunAllKeepsTheOrder(t *testing.T) {
	t.Parallel()
	var mutex sync.Mutex
	var ran []string
	task := func(name string, needs ...string) Task {
		return Task{Name: name, Needs: needs, Run: func(context.Context) error {
			mutex.Lock()
			defer mutex.Unlock()
			ran = append(ran, name)
			return nil
		}}
	}
	tasks := []Task{task("c", "b", "elsewhere"), task("b", "a"), task("a"), task("d", "a")}
	if err := RunAll(t.Context(), tasks); err != nil {
		t.Fatal(err)
	}
	position := func(name string) int { return slices.Index(ran, name) }
	if len(ran) != 4 || position("a") > position("b") || position("b") > position("c") || position("a") > position("d") {
		t.Errorf("ran %v", ran)
	}
}

func TestRunAllStopsAtAnError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	err := RunAll(t.Context(), []Task{
		{Name: "a", Run: func(context.Context) error { return broken }},
		{Name: "b", Needs: []string{"a"}, Run: func(context.Context) error {
			t.Error("ran after what it needs failed")
			return nil
		}},
		{Name: "c", Run: func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}},
	})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}
