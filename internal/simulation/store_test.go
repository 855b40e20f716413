package simulation

import (
	"errors"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

var (
	errExists   = errors.New("already exists")
	errNotFound = errors.New("not found")
	errConflict = errors.New("conflict")
	errServer   = errors.New("internal server error")
	errRefused  = errors.New("forbidden")
)

// change is one entry of what a watch delivers.
type change struct {
	object  object
	deleted bool
}

// store is the API server: objects by kind and key, and the watch log of each kind.
type store struct {
	clock   *clock
	version int64
	objects [kinds]map[string]object
	log     [kinds][]change
	// watch is told of every change, with the object before it.
	watch func(before object, c change)
}

func newStore(c *clock) *store {
	s := &store{clock: c}
	for k := range s.objects {
		s.objects[k] = map[string]object{}
	}
	return s
}

// list returns all objects of a kind in a stable order.
func (s *store) list(k kind) []object {
	return sortedValues(s.objects[k])
}

func sortedValues(m map[string]object) []object {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	all := make([]object, 0, len(keys))
	for _, key := range keys {
		all = append(all, m[key])
	}
	return all
}

func (s *store) put(o object, c change) {
	m := o.head()
	before := s.objects[m.kind][o.key()]
	s.version++
	m.version = s.version
	if c.deleted {
		delete(s.objects[m.kind], o.key())
	} else {
		s.objects[m.kind][o.key()] = o
	}
	s.log[m.kind] = append(s.log[m.kind], c)
	s.watch(before, c)
}

// create stores a new object.
func (s *store) create(o object) error {
	m := o.head()
	if s.objects[m.kind][o.key()] != nil {
		return errExists
	}
	m.uid = types.UID(fmt.Sprintf("uid-%d", s.version+1))
	m.created = s.clock.time().Truncate(time.Second)
	s.put(o, change{object: o})
	return nil
}

// update replaces an object whose version is the one of o.
func (s *store) update(o object) error {
	m := o.head()
	old := s.objects[m.kind][o.key()]
	switch {
	case old == nil || old.head().uid != m.uid:
		return errNotFound
	case old.head().version != m.version:
		return errConflict
	}
	s.put(o, change{object: o, deleted: released(o)})
	return nil
}

// released tells whether nothing holds an object any more that is being deleted.
func released(o object) bool {
	c, ok := o.(*cache)
	return ok && c.deleting && !c.finalizer && !c.foreign
}

// patch changes an object as it is now; nothing happens when it is gone.
func (s *store) patch(o object, edit func(object)) {
	old := s.objects[o.head().kind][o.key()]
	if old == nil || old.head().uid != o.head().uid {
		return
	}
	c := old.clone()
	edit(c)
	s.put(c, change{object: c, deleted: released(c)})
}

// remove deletes an object of this uid at once.
func (s *store) remove(k kind, key string, uid types.UID) error {
	old := s.objects[k][key]
	switch {
	case old == nil:
		return errNotFound
	case old.head().uid != uid:
		return errConflict
	}
	c := old.clone()
	s.put(c, change{object: c, deleted: true})
	return nil
}

// roundTrip is what is left of a status after JSON: times have whole seconds.
func roundTrip(in v1alpha2.NodeCacheStatus) v1alpha2.NodeCacheStatus {
	out := *in.DeepCopy()
	for i := range out.Images {
		out.Images[i].Time = metav1.NewTime(out.Images[i].Time.Truncate(time.Second))
	}
	if out.Wait != nil {
		out.Wait.Until = metav1.NewTime(out.Wait.Until.Truncate(time.Second))
	}
	return out
}
