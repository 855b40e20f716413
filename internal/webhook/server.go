package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
)

const (
	// patience is how long a call may take to arrive: the API server gives up after
	// the timeoutSeconds of its configuration, at most 30.
	patience = 30 * time.Second
	// idle connections are closed after longer than API servers keep theirs (90 s),
	// so that none is closed while a call is on its way.
	idle = 2 * time.Minute
	// drain is how long calls under way may take to end.
	drain = 15 * time.Second
)

// server answers HTTPS requests.
type server struct {
	http     http.Server
	listener net.Listener
	delay    time.Duration
	// draining is set as soon as the process is asked to end.
	draining atomic.Bool
}

func newServer(listener net.Listener, config *tls.Config, handler http.Handler, delay time.Duration, logger logr.Logger) *server {
	return &server{
		http: http.Server{
			Handler: handler, TLSConfig: config,
			ReadHeaderTimeout: patience, ReadTimeout: patience, WriteTimeout: 2 * patience, IdleTimeout: idle,
			ErrorLog: log.New(errorLog{logger}, "", 0),
		},
		listener: listener, delay: delay,
	}
}

// run serves until ctx ends, and a while longer: requests still come from those
// who have not yet heard that this replica goes, and must be answered.
func (s *server) run(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- s.http.ServeTLS(s.listener, "", "") }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	s.draining.Store(true)
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-time.After(s.delay):
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		return fmt.Errorf("end calls under way: %w", err)
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// errorLog passes on what net/http has to say: mostly of clients that hang up or
// do not trust us, which the readiness probe notices too.
type errorLog struct{ logger logr.Logger }

// Write logs one message.
func (e errorLog) Write(message []byte) (int, error) {
	e.logger.V(1).Info("connection failed", "error", strings.TrimSpace(string(message)))
	return len(message), nil
}
