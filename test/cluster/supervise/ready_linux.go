package supervise

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/kubefledged/kubefledged-operator/test/cluster/components"
	"github.com/kubefledged/kubefledged-operator/test/cluster/network"
)

// Timeout is how long a component may take until it is ready.
const Timeout = 2 * time.Minute

// Healthy makes one attempt at the component's own check; nil means ready.
func (s Supervisor) Healthy(ctx context.Context, component components.Component) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	check := component.Ready
	switch {
	case check.URL != "":
		return get(ctx, component)
	case len(check.Command) > 0:
		output, err := s.Run(component, check.Command)
		if err != nil {
			return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(output)))
		}
	case check.File != "":
		_, err := os.Stat(check.File)
		return err
	}
	return nil
}

// AwaitReady waits until the component is ready. It gives up when the process
// ends, with the last lines of its log, or when the time is over.
func (s Supervisor) AwaitReady(ctx context.Context, component components.Component) error {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	for {
		err := s.Healthy(ctx, component)
		if err == nil {
			return nil
		}
		if _, running := s.Find(component.Name); !running {
			return fmt.Errorf("%s ended; the end of %s:\n%s", component.Name, s.Log(component.Name), s.lastLines(component.Name, 10))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w (see %s)", component.Name, err, s.Log(component.Name))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (s Supervisor) lastLines(component string, count int) string {
	content, err := os.ReadFile(s.Log(component))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}

// get asks the component's URL from inside its network namespace.
func get(ctx context.Context, component components.Component) error {
	client, err := Client(component.Namespace, component.Ready.Client, component.Ready.CA)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, component.Ready.URL, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", component.Ready.URL, response.Status)
	}
	return nil
}

// Client returns an HTTP client that connects from inside the network
// namespace. pair is the path of a client certificate without ".crt", "" for
// none; ca the file to verify the server by, "" for no verification, which
// suits components that make themselves a certificate.
func Client(namespace, pair, ca string) (*http.Client, error) {
	config := &tls.Config{InsecureSkipVerify: ca == ""} //nolint:gosec // see above
	if pair != "" {
		certificate, err := tls.LoadX509KeyPair(pair+".crt", pair+".key")
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	if ca != "" {
		content, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(content) {
			return nil, errors.New("no certificate in " + ca)
		}
	}
	return &http.Client{Transport: &http.Transport{
		DialContext:     network.Dialer(namespace),
		TLSClientConfig: config,
	}}, nil
}
