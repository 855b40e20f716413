package simulation

import (
	"container/heap"
	"time"
)

// epoch is when every world begins; a whole second, as metav1.Time has no less.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// clock is virtual time: a queue of what will happen, in order. Things planned
// for the same instant happen in the order they were planned in.
type clock struct {
	now   time.Duration
	steps int
	queue events
}

type event struct {
	at    time.Duration
	order int
	do    func()
}

// after plans do for later.
func (c *clock) after(d time.Duration, do func()) {
	c.queue.last++
	heap.Push(&c.queue, event{c.now + max(d, 0), c.queue.last, do})
}

// step lets the next thing happen; false when nothing is planned.
func (c *clock) step() bool {
	if len(c.queue.list) == 0 {
		return false
	}
	e := heap.Pop(&c.queue).(event)
	c.now = e.at
	c.steps++
	e.do()
	return true
}

// time is the virtual wall clock.
func (c *clock) time() time.Time { return epoch.Add(c.now) }

// events is a heap of events.
type events struct {
	list []event
	last int
}

func (e *events) Len() int { return len(e.list) }
func (e *events) Less(i, j int) bool {
	a, b := &e.list[i], &e.list[j]
	return a.at < b.at || a.at == b.at && a.order < b.order
}
func (e *events) Swap(i, j int) { e.list[i], e.list[j] = e.list[j], e.list[i] }
func (e *events) Push(x any)    { e.list = append(e.list, x.(event)) }
func (e *events) Pop() any {
	last := e.list[len(e.list)-1]
	e.list = e.list[:len(e.list)-1]
	return last
}
