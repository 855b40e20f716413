package nodecache

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/flowcontrol"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kubefledged/kubefledged-operator/internal/observe"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

const (
	// eventsAge is how long the events of one object are trusted before they
	// are read again.
	eventsAge = 10 * time.Second
	// eventsPerSecond and eventsBurst limit the reads. The API server keeps no
	// events in memory and looks through all those of the namespace for each
	// read, two seconds where a Job controller at its limit lets a hundred Jobs
	// wait for their pods, and each of them asks why.
	eventsPerSecond, eventsBurst = 2, 20
)

// eventReader reads the events of single objects, past the informer cache:
// watching every event of the cluster for the few that matter would cost more.
type eventReader struct {
	reader client.Reader
	// pace limits the reads of all nodes together.
	pace flowcontrol.PassiveRateLimiter

	mu   sync.Mutex
	memo map[types.UID]readEvents
}

type readEvents struct {
	at     time.Time
	events []outcome.Event
}

func newEventReader(reader client.Reader) *eventReader {
	return &eventReader{
		reader: reader, pace: flowcontrol.NewTokenBucketPassiveRateLimiter(eventsPerSecond, eventsBurst),
		memo: map[types.UID]readEvents{},
	}
}

// add puts the events of the Job's pod, or of the Job, into view. Failing to
// read them is logged and not an error, and too many at once are put off: they
// are hints, and who still needs them at the next look asks again.
func (e *eventReader) add(ctx context.Context, view *observe.JobView) {
	uid, namespace := view.EventSource()
	if known, ok := e.recent(uid); ok {
		view.Events, view.EventsRead = known, true
		return
	}
	if !e.pace.TryAccept() {
		return
	}
	var list corev1.EventList
	err := e.reader.List(ctx, &list, client.InNamespace(namespace),
		client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("involvedObject.uid", string(uid))})
	if err != nil {
		log.FromContext(ctx).Error(err, "cannot read events", "namespace", namespace, "uid", uid)
		return
	}
	for i := range list.Items {
		view.Events = append(view.Events, observe.Event(&list.Items[i]))
	}
	view.EventsRead = true
	e.remember(uid, view.Events)
}

func (e *eventReader) recent(uid types.UID) ([]outcome.Event, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	known, ok := e.memo[uid]
	return known.events, ok && clock.Since(known.at) < eventsAge
}

func (e *eventReader) remember(uid types.UID, events []outcome.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for known, read := range e.memo {
		if clock.Since(read.at) > eventsAge {
			delete(e.memo, known)
		}
	}
	e.memo[uid] = readEvents{at: clock.Now(), events: events}
}
