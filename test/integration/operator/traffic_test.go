package operator

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
)

// traffic records what an operator asks of the API server, in the words of RBAC.
type traffic struct {
	mutex   sync.Mutex
	used    map[right]bool
	refused []string
}

// right is one that a request needs, or that a role gives.
type right struct {
	verb, group, resource string
	// namespace of the objects; empty for those of all and for those in none.
	namespace string
}

// String returns it without the namespace.
func (r right) String() string { return r.verb + " " + r.group + "/" + r.resource }

// config returns a configuration whose requests are recorded.
func (tr *traffic) config(rc *rest.Config) *rest.Config {
	rc = rest.CopyConfig(rc)
	rc.Wrap(func(next http.RoundTripper) http.RoundTripper { return &tap{traffic: tr, next: next} })
	return rc
}

// tap is a connection that is recorded.
type tap struct {
	*traffic
	next http.RoundTripper
}

// RoundTrip passes a request on.
func (p *tap) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := p.next.RoundTrip(request)
	if err == nil {
		p.record(request, response.StatusCode)
	}
	return response, err
}

func (tr *traffic) record(request *http.Request, code int) {
	asked, ok := rightFor(request)
	if !ok {
		return
	}
	tr.mutex.Lock()
	defer tr.mutex.Unlock()
	if code == http.StatusForbidden {
		tr.refused = append(tr.refused, request.Method+" "+request.URL.Path)
		return
	}
	if tr.used == nil {
		tr.used = map[right]bool{}
	}
	tr.used[asked] = true
	if asked.verb == "patch" && code == http.StatusCreated {
		asked.verb = "create" // a server-side apply of what was not there
		tr.used[asked] = true
	}
}

// all returns what was used so far.
func (tr *traffic) all() []right {
	tr.mutex.Lock()
	defer tr.mutex.Unlock()
	var all []right
	for r := range tr.used {
		all = append(all, r)
	}
	return all
}

// forget begins anew, but for what was forbidden.
func (tr *traffic) forget() {
	tr.mutex.Lock()
	defer tr.mutex.Unlock()
	tr.used = nil
}

// refusal returns the first request that was forbidden, empty without any.
func (tr *traffic) refusal() string {
	tr.mutex.Lock()
	defer tr.mutex.Unlock()
	if len(tr.refused) == 0 {
		return ""
	}
	return tr.refused[0]
}

// rightFor reads the path of a request: /api/v1/... or /apis/GROUP/VERSION/...,
// then namespaces/NAMESPACE, RESOURCE, NAME, SUBRESOURCE.
func rightFor(request *http.Request) (right, bool) {
	parts := strings.Split(strings.Trim(request.URL.Path, "/"), "/")
	var r right
	switch {
	case parts[0] == "api" && len(parts) > 2:
		parts = parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		r.group, parts = parts[1], parts[3:]
	default:
		return r, false // of discovery, which everybody may
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		r.namespace, parts = parts[1], parts[2:]
	}
	r.resource = parts[0]
	if len(parts) > 2 {
		r.resource += "/" + parts[2]
	}
	r.verb = verbOf(request, len(parts) > 1)
	return r, true
}

func verbOf(request *http.Request, named bool) string {
	switch {
	case request.Method != http.MethodGet:
		return map[string]string{http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete"}[request.Method]
	case request.URL.Query().Get("watch") == "true":
		return "watch"
	case named:
		return "get"
	}
	return "list"
}

func TestRightFor(t *testing.T) {
	for request, want := range map[string]right{
		"GET /api/v1/namespaces/a":                           {"get", "", "namespaces", ""},
		"GET /api/v1/namespaces":                             {"list", "", "namespaces", ""},
		"GET /api/v1/secrets?watch=true":                     {"watch", "", "secrets", ""},
		"DELETE /api/v1/namespaces/a/secrets/b":              {"delete", "", "secrets", "a"},
		"PATCH /apis/apps/v1/namespaces/a/deployments/b":     {"patch", "apps", "deployments", "a"},
		"PUT /apis/g/v1/namespaces/a/things/b/status":        {"update", "g", "things/status", "a"},
		"POST /apis/rbac.authorization.k8s.io/v1/roles?x=y":  {"create", "rbac.authorization.k8s.io", "roles", ""},
		"GET /apis/apps/v1/namespaces/a/deployments?limit=5": {"list", "apps", "deployments", "a"},
	} {
		method, url, _ := strings.Cut(request, " ")
		asked, err := http.NewRequestWithContext(t.Context(), method, "https://server"+url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := rightFor(asked); !ok || got != want {
			t.Errorf("%s: %+v, want %+v", request, got, want)
		}
	}
}
