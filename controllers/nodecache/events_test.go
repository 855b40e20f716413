package nodecache

import (
	"context"
	"strconv"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	testclock "k8s.io/utils/clock/testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/internal/observe"
)

// eventLog counts how often it is read.
type eventLog struct {
	client.Reader
	reads int
}

func (l *eventLog) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	l.reads++
	list.(*corev1.EventList).Items = []corev1.Event{{Reason: "FailedCreate"}}
	return nil
}

func viewOf(uid string) *observe.JobView {
	job := &batchv1.Job{}
	job.UID = types.UID(uid)
	return &observe.JobView{Job: job}
}

// However many Jobs wait, the API server is asked a few times a second only,
// and who was put off asks again.
func TestEventsAreReadAtAPace(t *testing.T) {
	var log eventLog
	reader := newEventReader(&log)
	last := viewOf("last")
	for i := range 100 {
		reader.add(t.Context(), viewOf(strconv.Itoa(i)))
	}
	reader.add(t.Context(), last)
	if log.reads < eventsBurst || log.reads > eventsBurst+eventsPerSecond*5 {
		t.Errorf("%d reads of a hundred at once", log.reads)
	}
	if last.EventsRead || len(last.Events) > 0 {
		t.Error("one that was put off believes that there are no events")
	}
	first := viewOf("0")
	if reader.add(t.Context(), first); !first.EventsRead || len(first.Events) != 1 {
		t.Error("what was read is not remembered")
	}
}

func TestEventsAreReadAgain(t *testing.T) {
	old := clock
	defer func() { clock = old }()
	now := testclock.NewFakeClock(old.Now())
	clock = now
	var log eventLog
	reader := newEventReader(&log)
	for range 3 {
		reader.add(t.Context(), viewOf("a"))
	}
	if log.reads != 1 {
		t.Errorf("%d reads in a moment", log.reads)
	}
	now.Step(eventsAge)
	if reader.add(t.Context(), viewOf("a")); log.reads != 2 || len(reader.memo) != 1 {
		t.Errorf("%d reads, %d remembered", log.reads, len(reader.memo))
	}
}
