//go:build linux

package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"sync"

	"github.com/kubefledged/kubefledged-operator/test/cluster/components"
	"github.com/kubefledged/kubefledged-operator/test/cluster/supervise"
)

// apiError is an answer of the API server other than success.
type apiError struct {
	status  int
	message string
}

func (e *apiError) Error() string { return e.message }

var clients sync.Map // by certificate directory; connections are reused

func (r *running) client() (*http.Client, error) {
	if client, known := clients.Load(r.plan.PKI()); known {
		return client.(*http.Client), nil
	}
	client, err := supervise.Client(r.plan.Names.ControlPlane(),
		filepath.Join(r.plan.PKI(), "admin-client"), filepath.Join(r.plan.PKI(), "ca.crt"))
	if err == nil {
		clients.Store(r.plan.PKI(), client)
	}
	return client, err
}

// call sends one request to the API server as the administrator, and decodes
// the answer into result unless that is nil.
func (r *running) call(ctx context.Context, method, path, contentType string, body []byte, result any) error {
	client, err := r.client()
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, components.APIServerURL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", contentType)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusBadRequest {
		return &apiError{response.StatusCode, fmt.Sprintf("%s %s: %s: %s", method, path, response.Status, content)}
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(content, result)
}

func (r *running) get(ctx context.Context, path string, result any) error {
	return r.call(ctx, http.MethodGet, path, "application/json", nil, result)
}

// apply makes the object what the YAML or JSON says, by server-side apply.
func (r *running) apply(ctx context.Context, path string, object []byte) error {
	return r.call(ctx, http.MethodPatch, path+"?fieldManager=localcluster&force=true", "application/apply-patch+yaml", object, nil)
}
