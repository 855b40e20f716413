//go:build e2e

package operator

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// write is a line of the API server's audit log: somebody created, changed or
// deleted something.
type write struct {
	User struct {
		Username string `json:"username"`
	} `json:"user"`
	Verb   string    `json:"verb"`
	URI    string    `json:"requestURI"`
	At     time.Time `json:"requestReceivedTimestamp"`
	Object struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
}

func (e write) String() string {
	return fmt.Sprintf("%s %s %s of %s/%s by %s", e.At.Format(time.TimeOnly), e.Verb,
		strings.TrimSuffix(e.Object.Resource+"/"+e.Object.Subresource, "/"), e.Object.Namespace, e.Object.Name, e.User.Username)
}

// isLease tells the renewal of a leader's lease, which never ends.
func (e write) isLease() bool { return e.Object.Resource == "leases" && e.Verb == "update" }

// by tells whether a service account of that namespace wrote.
func (e write) by(namespace string) bool {
	return strings.HasPrefix(e.User.Username, "system:serviceaccount:"+namespace+":")
}

// writes returns what the service accounts of a namespace wrote in that time, and
// how often they renewed a lease meanwhile.
func (w *world) writes(namespace string, from, to time.Time) (others []write, leases int) {
	w.Helper()
	path, err := w.cluster.Run(w.ctx, "path", "audit-log")
	w.check(err)
	file, err := os.Open(path)
	w.check(err)
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e write
		w.check(json.Unmarshal(lines.Bytes(), &e))
		switch {
		case !e.by(namespace) || e.At.Before(from) || e.At.After(to):
		case e.isLease():
			leases++
		default:
			others = append(others, e)
		}
	}
	w.check(lines.Err())
	return others, leases
}

// nudge has the operator look at everything again, until the context ends: an
// annotation that means nothing comes and goes on the KubeFledged and on what it
// installed. It does in minutes what periods of hours would.
func (w *world) nudge(ctx context.Context, period time.Duration) (times int) {
	for {
		select {
		case <-ctx.Done():
			return times
		case <-time.After(period):
		}
		for _, object := range []string{"kubefledged/kubefledged", "deployment/" + lab.ControllerName, "service/" + webhookName} {
			if _, err := w.cluster.Kubectl(ctx, "annotate", "--overwrite", "-n", lab.Namespace, object, fmt.Sprintf("example.com/nudge=%d", times)); err != nil && ctx.Err() == nil {
				w.Error(err)
			}
		}
		times++
	}
}
