// Package accounts reads from the API server's audit log who wrote what. The
// log is the API server's own: no figure of the program under test is in it.
package accounts

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// Policy is the audit policy that the figures need: every write but those of
// leases of nodes, and every request of the image-cache controller.
const Policy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  users: ["` + Controller + `"]
- level: None
  namespaces: [kube-node-lease]
- level: None
  verbs: [get, list, watch]
- level: Metadata
`

// Users of whom the figures tell.
const (
	// Controller is the image-cache controller's service account.
	Controller = "system:serviceaccount:kube-fledged:kubefledged-controller"
	// Kubelets is the user of the simulated kubelets.
	Kubelets = "scale-kubelets"
	// administrator is the user of the rig and of kwok.
	administrator = "kubernetes-admin"
)

// upkeep are users who write whether anybody caches images or not: about nodes
// that join, and about themselves.
var upkeep = []string{
	"system:serviceaccount:kube-system:node-controller", "system:serviceaccount:kube-system:ttl-controller",
	"system:kube-controller-manager", "system:apiserver",
}

// Request is one request that the API server has answered.
type Request struct {
	// User is who asked, Agent with what program.
	User, Agent string
	// Verb is one of Kubernetes' own, such as create or patch.
	Verb string
	// Resource is like "pods" or "pods/status".
	Resource        string
	Namespace, Name string
	// Code is that of the answer.
	Code int
	// Received and Answered are when.
	Received, Answered time.Time
}

// Write tells a request that changes something.
func (r *Request) Write() bool {
	switch r.Verb {
	case "get", "list", "watch":
		return false
	}
	return true
}

// Side is who a write is counted for.
type Side string

// Sides of a write.
const (
	// Own writes are the image-cache controller's.
	Own Side = "own"
	// Provoked writes are those of others because of what it did: the Job
	// controller's, the kubelets', the garbage collector's.
	Provoked Side = "provoked"
	// Apart are the rig's own, and the heartbeats of nodes.
	Apart Side = "apart"
)

// Side returns whose write it is.
func (r *Request) Side() Side {
	switch {
	case r.User == Controller:
		return Own
	case r.User == administrator, slices.Contains(upkeep, r.User):
		return Apart
	default:
		return Provoked
	}
}

// event is what is read of an entry of the log.
type event struct {
	Verb      string
	User      struct{ Username string }
	UserAgent string
	// ImpersonatedUser is who the request was made as.
	ImpersonatedUser *struct{ Username string }
	ObjectRef        *struct{ Resource, Subresource, Namespace, Name string }
	ResponseStatus   *struct{ Code int }
	Stage            string

	RequestReceivedTimestamp, StageTimestamp time.Time
}

func (e *event) request() Request {
	r := Request{
		User: e.User.Username, Agent: e.UserAgent, Verb: e.Verb,
		Received: e.RequestReceivedTimestamp, Answered: e.StageTimestamp,
	}
	if e.ImpersonatedUser != nil {
		r.User = e.ImpersonatedUser.Username
	}
	if o := e.ObjectRef; o != nil {
		r.Resource, r.Namespace, r.Name = o.Resource, o.Namespace, o.Name
		if o.Subresource != "" {
			r.Resource += "/" + o.Subresource
		}
	}
	if e.ResponseStatus != nil {
		r.Code = e.ResponseStatus.Code
	}
	r.Agent, _, _ = strings.Cut(r.Agent, "/")
	return r
}

// Log is an audit log that is being written.
type Log struct{ Path string }

// Size returns how long the log is now, in bytes.
func (l Log) Size() (int64, error) {
	info, err := os.Stat(l.Path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Between returns the requests logged from one size of the log to another.
func (l Log) Between(from, to int64) ([]Request, error) {
	file, err := os.Open(l.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if _, err := file.Seek(from, io.SeekStart); err != nil {
		return nil, err
	}
	return read(io.LimitReader(file, to-from))
}

func read(from io.Reader) ([]Request, error) {
	var all []Request
	lines := bufio.NewReaderSize(from, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return all, nil // a line without its end is of the next window
		}
		if err != nil {
			return nil, err
		}
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("audit log: %w", err)
		}
		if e.Stage == "ResponseComplete" || e.Stage == "Panic" {
			all = append(all, e.request())
		}
	}
}
