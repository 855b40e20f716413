// Package registry is the cluster's image registry: the distribution project's
// registry on disk, with an access log and with rules that make pulls slow,
// fail or ask for a password.
package registry

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem" // the driver "filesystem"
	"github.com/sirupsen/logrus"
)

// Server answers the registry's requests.
type Server struct {
	registry http.Handler
	log      *Log
	rules    atomic.Pointer[ruleSet]
	// rulesFile keeps the rules over a restart.
	rulesFile string
	// inFlight counts requests that are not in the log yet.
	inFlight atomic.Int64
	// stallLimit is the constant of that name but in tests.
	stallLimit time.Duration
}

// NewServer returns a registry that keeps everything in dir, which is made
// when it is missing.
func NewServer(ctx context.Context, dir string) (*Server, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	log, err := OpenLog(filepath.Join(dir, "access.log"))
	if err != nil {
		return nil, err
	}
	// The access log says all; the library would write several lines more for
	// every request.
	logrus.SetLevel(logrus.FatalLevel)
	server := &Server{
		registry:   handlers.NewApp(ctx, config(dir)),
		log:        log,
		rulesFile:  filepath.Join(dir, "rules.json"),
		stallLimit: stallLimit,
	}
	err = server.loadRules()
	return server, err
}

func config(dir string) *configuration.Configuration {
	config := &configuration.Configuration{
		Version: configuration.CurrentVersion,
		Storage: configuration.Storage{
			"filesystem": configuration.Parameters{"rootdirectory": filepath.Join(dir, "content")},
			"delete":     configuration.Parameters{"enabled": true},
			// Nothing to purge in a registry that lives for a day.
			"maintenance": configuration.Parameters{
				"uploadpurging": map[any]any{"enabled": false},
			},
		},
	}
	// Uploads go on after a restart only when the secret stays the same.
	config.HTTP.Secret = "localcluster"
	config.Catalog.MaxEntries = 1000
	config.Tags.MaxTags = 1000
	return config
}

// ServeHTTP answers a request of a client, by the rules, and logs it.
func (s *Server) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	s.inFlight.Add(1)
	defer s.inFlight.Add(-1)
	started := time.Now()
	verdict := s.rules.Load().judge(request)
	meter := &meter{ResponseWriter: writer, context: request.Context(), rate: verdict.BytesPerSecond}
	user := s.answer(meter, request, verdict)
	entry := entryOf(request, meter)
	entry.Time, entry.Duration, entry.User = started, Duration(time.Since(started)), user
	if err := s.log.Add(entry); err != nil {
		slog.Error("writing the access log", "error", err)
	}
}

// entryOf returns what the request and its answer say about themselves.
func entryOf(request *http.Request, meter *meter) Entry {
	entry := Entry{
		Remote:    request.RemoteAddr,
		Method:    request.Method,
		Path:      request.URL.Path,
		Status:    meter.statusCode(),
		Bytes:     meter.bytes,
		Fault:     meter.fault,
		Host:      request.Host,
		UserAgent: request.UserAgent(),
		Namespace: request.URL.Query().Get("ns"),
	}
	if request.Method == http.MethodHead {
		entry.Bytes = 0 // Written, but not sent.
	}
	return entry
}

// answer returns the user that has authenticated, if any.
func (s *Server) answer(meter *meter, request *http.Request, verdict verdict) string {
	if !sleep(request.Context(), time.Duration(verdict.Delay)) {
		meter.status = statusClientGone
		return ""
	}
	user, allowed := authenticate(request, verdict.Rule)
	if !allowed {
		meter.Header().Set("WWW-Authenticate", `Basic realm="localcluster"`)
		refuse(meter, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
		return ""
	}
	if answerInstead(meter, request, verdict) {
		return user
	}
	// The registry behind has no users and must not see what it cannot check.
	request.Header.Del("Authorization")
	s.registry.ServeHTTP(s.bodyOf(meter, request, verdict), request)
	return user
}

// answerInstead meets the faults that take the place of the content, and tells
// whether there was one.
func answerInstead(meter *meter, request *http.Request, verdict verdict) bool {
	switch {
	case (verdict.Status == 0 && !verdict.Redirect) || !verdict.meets():
		return false
	case verdict.Redirect:
		meter.fault = faultRedirect
		meter.Header().Set("Location", request.URL.RequestURI())
		refuse(meter, http.StatusTemporaryRedirect, "UNAVAILABLE", "by rule of the local registry")
	default:
		meter.fault = faultStatus
		if verdict.RetryAfter > 0 {
			meter.Header().Set("Retry-After", itoa(verdict.RetryAfter))
		}
		refuse(meter, verdict.Status, "UNAVAILABLE", "by rule of the local registry")
	}
	return true
}

// bodyOf returns what the content is written to.
func (s *Server) bodyOf(meter *meter, request *http.Request, verdict verdict) http.ResponseWriter {
	_, kind := target(request.URL.Path)
	if kind != Blobs || !verdict.ofBody() {
		return meter
	}
	return &faultyBody{meter: meter, verdict: verdict, stall: func() error { return s.stall(request, verdict.Rule) }}
}

// stall waits until the rule does not count any more for the request. Its error
// is that of the client, who has gone, or errCut when the time is over.
func (s *Server) stall(request *http.Request, rule Rule) error {
	limit := time.NewTimer(s.stallLimit)
	defer limit.Stop()
	for {
		rules := s.rules.Load()
		if rules.judge(request).Rule != rule {
			return nil
		}
		select {
		case <-rules.replaced:
		case <-request.Context().Done():
			return request.Context().Err()
		case <-limit.C:
			return errCut
		}
	}
}

// authenticate returns the user, and whether the rule lets them in.
func authenticate(request *http.Request, rule Rule) (string, bool) {
	user, password, given := request.BasicAuth()
	if rule.User == "" && rule.Password == "" {
		return user, true
	}
	if !given || user != rule.User || password != rule.Password {
		return "", false
	}
	return user, true
}

// refuse answers in the form that registries' clients understand.
func refuse(writer http.ResponseWriter, status int, code, message string) {
	writer.Header().Set("Content-Type", "application/json")
	writer.WriteHeader(status)
	_, _ = io.WriteString(writer, `{"errors":[{"code":"`+code+`","message":"`+message+`"}]}`+"\n")
}

// sleep returns false when the context ended first.
func sleep(ctx context.Context, duration time.Duration) bool {
	if duration <= 0 {
		return true
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(duration):
		return true
	}
}

// Addresses are where Run listens.
type Addresses struct {
	Plain, TLS, Admin   string
	Certificate, KeyPEM string
}

// Run serves until ctx ends or a listener fails.
func (s *Server) Run(ctx context.Context, addresses Addresses) error {
	plain := &http.Server{Addr: addresses.Plain, Handler: s, ReadHeaderTimeout: time.Minute}
	secure := &http.Server{Addr: addresses.TLS, Handler: s, ReadHeaderTimeout: time.Minute}
	admin := &http.Server{Addr: addresses.Admin, Handler: s.Admin(), ReadHeaderTimeout: time.Minute}
	failed := make(chan error, 3)
	go func() { failed <- plain.ListenAndServe() }()
	go func() { failed <- admin.ListenAndServe() }()
	if addresses.TLS != "" {
		go func() { failed <- secure.ListenAndServeTLS(addresses.Certificate, addresses.KeyPEM) }()
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	return errors.Join(plain.Close(), secure.Close(), admin.Close())
}
