package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// mark is something that was first seen at a time since the start.
type mark struct {
	at   time.Duration
	what string
}

// point is what the record of a node held at a time since the start.
type point struct {
	at             time.Duration
	cached, failed int
	jobs           int64
}

// timeline tells what the time went into, as a watcher of the API sees it.
type timeline struct {
	marks  []mark
	points []point
}

// lasting is the timeline of something of which only the end is known.
func lasting(took time.Duration) *timeline { return &timeline{marks: []mark{{took, "end"}}} }

// end is when the last thing was seen.
func (l *timeline) end() time.Duration { return l.marks[len(l.marks)-1].at }

// cached is when so many images were recorded as cached.
func (l *timeline) cached(n int) time.Duration {
	return l.when(func(p point) bool { return p.cached >= n })
}

// failed is when the first failure was recorded.
func (l *timeline) failed() time.Duration {
	return l.when(func(p point) bool { return p.failed > 0 })
}

// jobs is how many Jobs were recorded.
func (l *timeline) jobs() int64 {
	if len(l.points) == 0 {
		return 0
	}
	return l.points[len(l.points)-1].jobs
}

// seen is when the first mark was seen that begins so, 0 for never.
func (l *timeline) seen(prefix string) time.Duration {
	if i := slices.IndexFunc(l.marks, func(m mark) bool { return strings.HasPrefix(m.what, prefix) }); i >= 0 {
		return l.marks[i].at
	}
	return 0
}

// when returns when something was so for the first time, 0 for never.
func (l *timeline) when(so func(point) bool) time.Duration {
	if i := slices.IndexFunc(l.points, so); i >= 0 {
		return l.points[i].at
	}
	return 0
}

// follower watches everything that happens for an ImageCache.
type follower struct {
	events chan watch.Event
	stop   []func()
}

func follow(ctx context.Context, api client.WithWatch) (*follower, error) {
	f := &follower{events: make(chan watch.Event, 1000)}
	for _, list := range []client.ObjectList{
		&batchv1.JobList{}, &corev1.PodList{}, &corev1.EventList{}, &v1alpha2.NodeCacheList{}, &v1alpha2.ImageCacheList{}, &corev1.NodeList{},
	} {
		// The watch begins now, not with what is there.
		if err := api.List(ctx, list, client.InNamespace(lab.Namespace)); err != nil {
			return nil, err
		}
		since := &metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}
		w, err := api.Watch(ctx, list, &client.ListOptions{Namespace: lab.Namespace, Raw: since})
		if err != nil {
			return nil, err
		}
		f.stop = append(f.stop, w.Stop)
		go f.pass(ctx, w)
	}
	return f, nil
}

func (f *follower) pass(ctx context.Context, w watch.Interface) {
	for event := range w.ResultChan() {
		select {
		case f.events <- event:
		case <-ctx.Done():
			return
		}
	}
}

// until returns all that was seen until the ImageCache is done.
func (f *follower) until(ctx context.Context, began time.Time, done func(*v1alpha2.ImageCache) bool) (*timeline, error) {
	defer func() {
		for _, stop := range f.stop {
			stop()
		}
	}()
	line, seen := &timeline{}, map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return line, fmt.Errorf("the ImageCache is not done: %w; seen:\n%s", ctx.Err(), line)
		case event := <-f.events:
			line.add(time.Since(began), event, seen)
			if cache, ok := event.Object.(*v1alpha2.ImageCache); ok && done(cache) {
				return line, nil
			}
		}
	}
}

// add adds what an event tells, once.
func (l *timeline) add(at time.Duration, event watch.Event, seen map[string]bool) {
	if record, ok := event.Object.(*v1alpha2.NodeCache); ok && event.Type != watch.Deleted {
		s := &record.Status
		l.points = append(l.points, point{at, int(s.Cached), int(s.Failed), s.Sequence})
	}
	for _, what := range happened(event) {
		if !seen[what] {
			seen[what] = true
			l.marks = append(l.marks, mark{at, what})
		}
	}
}

// happened puts what an event tells into words.
func happened(event watch.Event) []string {
	switch object := event.Object.(type) {
	case *batchv1.Job:
		switch {
		case event.Type == watch.Deleted:
			return []string{"Job " + object.Name + " deleted"}
		case event.Type == watch.Added:
			return []string{"Job " + object.Name + " created"}
		}
	case *corev1.Pod:
		return podMarks(object)
	case *corev1.Event:
		if object.InvolvedObject.Kind == "Pod" && strings.Contains(object.Message, "benchmark/") {
			return []string{object.Reason + " " + imageIn(object.Message)}
		}
	case *corev1.Node:
		return nodeMarks(object)
	case *v1alpha2.NodeCache:
		return []string{fmt.Sprintf("record: %d cached, %d failed, sequence %d", object.Status.Cached, object.Status.Failed, object.Status.Sequence)}
	case *v1alpha2.ImageCache:
		if object.Status.Status == "" {
			return []string{"ImageCache created"}
		}
		return []string{fmt.Sprintf("status: %s %s", object.Status.Status, object.Status.Progress)}
	}
	return nil
}

func podMarks(pod *corev1.Pod) []string {
	marks := []string{"pod " + pod.Name + " created"}
	if pod.Status.StartTime != nil {
		marks = append(marks, "pod "+pod.Name+" taken by the kubelet")
	}
	ended := 0
	for _, status := range pod.Status.ContainerStatuses {
		if status.State.Terminated != nil {
			ended++
		}
	}
	if ended > 0 {
		marks = append(marks, fmt.Sprintf("pod %s: %d of %d containers ended", pod.Name, ended, len(pod.Spec.Containers)))
	}
	return marks
}

// imageIn cuts the image's short name out of a kubelet's message.
func imageIn(message string) string {
	_, rest, _ := strings.Cut(message, "benchmark/")
	name, _, _ := strings.Cut(rest, `"`)
	return name
}

// String has one line per mark.
func (l *timeline) String() string {
	var text strings.Builder
	for _, m := range l.marks {
		fmt.Fprintf(&text, "%7.2f s  %s\n", m.at.Seconds(), m.what)
	}
	return text.String()
}
