//go:build e2e

package e2e

import (
	"regexp"
	"strconv"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// apiRequest is a kind of request to the API server: "PUT", "200".
type apiRequest struct{ method, code string }

// apiRequests counts what the controller has asked of the API server.
type apiRequests map[apiRequest]int

// clientRequests is a counter of client-go.
var clientRequests = regexp.MustCompile(`(?m)^rest_client_requests_total\{code="([^"]*)",host="[^"]*",method="([^"]*)"\} (\S+)`)

// apiRequests reads the counters of the controller that leads.
func (w *world) apiRequests() apiRequests {
	w.Helper()
	metrics, err := cluster.Kubectl(w.ctx, "get", "--raw",
		"/api/v1/namespaces/"+lab.Namespace+"/pods/"+w.leaderNow().Name+":8080/proxy/metrics")
	w.check(err)
	counts := apiRequests{}
	for _, match := range clientRequests.FindAllStringSubmatch(metrics, -1) {
		count, err := strconv.ParseFloat(match[3], 64)
		w.check(err)
		counts[apiRequest{match[2], match[1]}] += int(count)
	}
	if len(counts) == 0 {
		w.Fatal("the controller counts no requests")
	}
	return counts
}

func (r apiRequests) since(before apiRequests) apiRequests {
	now := apiRequests{}
	for kind, count := range r {
		if count -= before[kind]; count != 0 {
			now[kind] = count
		}
	}
	return now
}

// refused counts the answers that are errors.
func (r apiRequests) refused() (count int) {
	for kind, n := range r {
		if kind.code >= "400" {
			count += n
		}
	}
	return count
}

// by counts the requests of these methods.
func (r apiRequests) by(methods ...string) (count int) {
	for _, method := range methods {
		for kind, n := range r {
			if kind.method == method {
				count += n
			}
		}
	}
	return count
}
