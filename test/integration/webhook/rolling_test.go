package webhook

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/kubefledged/kubefledged-operator/internal/webhook"
)

// TestARollingUpdateUnderLoad replaces both replicas behind a Service, one after
// the other. Nothing fails: what is on its way is answered, and what comes while
// the Service has not yet heard that a replica goes, too.
func TestARollingUpdateUnderLoad(t *testing.T) {
	namespace := newNamespace(t)
	service := &service{}
	front, address := listen(t)
	install(t, address)
	delay := func(o *webhook.Options) { o.ShutdownDelay = 2 * time.Second }
	var backends []string
	var stops []func()
	for range 2 {
		listener, backend := listen(t)
		backends = append(backends, backend)
		stops = append(stops, start(t, namespace, listener, delay))
	}
	service.run(t, front, backends)
	waitUntilReady(t, address)
	waitUntilAsked(t, namespace)

	load := begin(t, namespace, []string{address})
	for i, backend := range backends {
		time.Sleep(time.Second)
		stops[i]()
		listener, err := relisten(backend)
		if err != nil {
			t.Fatal(err)
		}
		start(t, namespace, listener, delay)
		waitUntilReady(t, backend)
		time.Sleep(time.Second) // until the Service has heard of it
	}
	load.end(t)
}

// service passes connections on to replicas that were ready half a second ago,
// as kube-proxy does.
type service struct {
	mutex sync.Mutex
	ready []string
	next  int
}

func (s *service) run(t *testing.T, front net.Listener, backends []string) {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		cancel()
		_ = front.Close() // ends the loop below
	})
	go func() {
		for ctx.Err() == nil {
			var found []string
			for _, backend := range backends {
				if ready(backend) == nil {
					found = append(found, backend)
				}
			}
			s.mutex.Lock()
			s.ready = found
			s.mutex.Unlock()
			time.Sleep(500 * time.Millisecond)
		}
	}()
	go func() {
		for {
			conn, err := front.Accept()
			if err != nil {
				return
			}
			go s.pass(conn)
		}
	}()
}

func (s *service) pick() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if len(s.ready) == 0 {
		return ""
	}
	s.next++
	return s.ready[s.next%len(s.ready)]
}

func (s *service) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", s.pick())
	if err != nil {
		return
	}
	defer server.Close()
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1])
			done <- struct{}{}
		}()
	}
	<-done
}
