package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"time"
)

// Admin returns the handler of the administrators' port: the log, the rules,
// and the registry itself without rules and log, for pushes.
//
//	GET    /log?since=TIME  entries from that time (RFC 3339) on, all without it
//	DELETE /log             forgets all entries
//	GET    /rules           the rules in force
//	PUT    /rules           replaces them; [] removes all
//	       /v2/             the registry
func (s *Server) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /log", s.getLog)
	mux.HandleFunc("DELETE /log", s.deleteLog)
	mux.HandleFunc("GET /rules", s.getRules)
	mux.HandleFunc("PUT /rules", s.putRules)
	mux.Handle("/v2/", s.registry)
	return mux
}

func (s *Server) getLog(writer http.ResponseWriter, request *http.Request) {
	var since time.Time
	if text := request.URL.Query().Get("since"); text != "" {
		parsed, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			http.Error(writer, err.Error(), http.StatusBadRequest)
			return
		}
		since = parsed
	}
	s.settle()
	writeJSON(writer, s.log.Since(since))
}

// settle waits a moment for requests to get into the log: a client has the last
// byte of its answer a little before. It does not wait for slow pulls to end.
func (s *Server) settle() {
	for deadline := time.Now().Add(200 * time.Millisecond); s.inFlight.Load() > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
}

func (s *Server) deleteLog(writer http.ResponseWriter, _ *http.Request) {
	if err := s.log.Clear(); err != nil {
		http.Error(writer, err.Error(), http.StatusInternalServerError)
		return
	}
	writer.WriteHeader(http.StatusNoContent)
}

func (s *Server) getRules(writer http.ResponseWriter, _ *http.Request) {
	writeJSON(writer, s.rules.Load().rules)
}

func (s *Server) putRules(writer http.ResponseWriter, request *http.Request) {
	decoder := json.NewDecoder(request.Body)
	decoder.DisallowUnknownFields()
	rules := []Rule{}
	if err := decoder.Decode(&rules); err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	if err := s.setRules(rules); err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	writer.WriteHeader(http.StatusNoContent)
}

// setRules puts the rules in force and keeps them for the next start. Counts of
// requests begin again.
func (s *Server) setRules(rules []Rule) error {
	for index, rule := range rules {
		if err := rule.validate(); err != nil {
			return fmt.Errorf("rule %d: %w", index, err)
		}
	}
	content, err := json.Marshal(rules)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.rulesFile, content, 0o600); err != nil {
		return err
	}
	close(s.rules.Swap(newRuleSet(rules)).replaced)
	return nil
}

func (s *Server) loadRules() error {
	rules := []Rule{}
	content, err := os.ReadFile(s.rulesFile)
	if err == nil {
		err = json.Unmarshal(content, &rules)
	}
	s.rules.Store(newRuleSet(rules))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func writeJSON(writer http.ResponseWriter, value any) {
	writer.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(writer).Encode(value)
}
