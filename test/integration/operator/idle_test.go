package operator

import (
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// An operator that has nothing to do writes nothing, not even what is there
// already, and also when it starts: not a request but a GET gets to the API server.
func TestIdleOperatorWritesNothing(t *testing.T) {
	namespace := namespaceFor(t)
	rollOut(t, namespace)
	kf := add(t, namespace, everything())
	untilDead(t, namespace, -1, settled(kf))

	m := newMortal(-1)
	stop := start(t, m.config(), options(namespace))
	version := kf.ResourceVersion
	time.Sleep(10 * time.Second)
	if n := m.writes.Load(); n != 0 {
		t.Errorf("%d writes", n)
	}
	awaitReady(t, kf)
	if kf.ResourceVersion != version || kf.Status.Release.Revision != 1 {
		t.Errorf("it was written: %s", describe(kf))
	}
	stop()
	start(t, rest.CopyConfig(user), options(namespace))
	remove(t, kf)
}
