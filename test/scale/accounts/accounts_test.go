package accounts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const entries = `{"stage":"ResponseComplete","verb":"create","user":{"username":"system:serviceaccount:kube-fledged:kubefledged-controller"},"userAgent":"kubefledged-controller/v0","objectRef":{"resource":"jobs","namespace":"shop","name":"a"},"responseStatus":{"code":201},"requestReceivedTimestamp":"2026-01-02T03:04:05.000001Z","stageTimestamp":"2026-01-02T03:04:05.000002Z"}
{"stage":"ResponseComplete","verb":"get","user":{"username":"system:serviceaccount:kube-fledged:kubefledged-controller"},"objectRef":{"resource":"nodecaches","name":"n"},"responseStatus":{"code":200}}
{"stage":"ResponseComplete","verb":"update","user":{"username":"system:serviceaccount:kube-fledged:kubefledged-controller"},"objectRef":{"resource":"leases"},"responseStatus":{"code":200}}
{"stage":"ResponseStarted","verb":"watch","user":{"username":"system:serviceaccount:kube-fledged:kubefledged-controller"},"objectRef":{"resource":"jobs"}}
{"stage":"ResponseComplete","verb":"patch","user":{"username":"kubernetes-admin"},"impersonatedUser":{"username":"scale-kubelets"},"objectRef":{"resource":"pods","subresource":"status"},"responseStatus":{"code":404}}
{"stage":"ResponseComplete","verb":"update","user":{"username":"system:serviceaccount:kube-system:job-controller"},"objectRef":{"resource":"jobs","subresource":"status"},"responseStatus":{"code":200}}
{"stage":"ResponseComplete","verb":"create","user":{"username":"kubernetes-admin"},"objectRef":{"resource":"imagecaches"},"responseStatus":{"code":201}}
{"stage":"ResponseComplete","verb":"patch","user":{"username":"kubernetes-admin"},"userAgent":"kwok/v0.8.0","objectRef":{"resource":"nodes","subresource":"status","name":"n"},"responseStatus":{"code":200}}
`

func TestCount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	before := `{"stage":"ResponseComplete","verb":"create","objectRef":{"resource":"pods"}}` + "\n"
	if err := os.WriteFile(path, []byte(before+entries+`{"half of a li`), 0o600); err != nil {
		t.Fatal(err)
	}
	log := Log{Path: path}
	size, err := log.Size()
	if err != nil {
		t.Fatal(err)
	}
	requests, err := log.Between(int64(len(before)), size)
	if err != nil {
		t.Fatal(err)
	}
	got := Count(requests)
	want := Tally{
		Own:      map[string]int{"create jobs": 1},
		Provoked: map[string]int{"scale-kubelets patch pods/status": 1, "job-controller update jobs/status": 1},
		Reads:    map[string]int{"get nodecaches": 1}, Apart: 2, Refused: 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Writes() != 3 {
		t.Errorf("%d writes", got.Writes())
	}
	if d := requests[0].Answered.Sub(requests[0].Received); d != time.Microsecond || requests[0].Name != "a" || requests[0].Agent != "kubefledged-controller" {
		t.Errorf("the first request: %+v", requests[0])
	}
}

// The policy is what the tallies rest on.
func TestPolicyHasTheControllersReads(t *testing.T) {
	reads, none := strings.Index(Policy, Controller), strings.Index(Policy, "verbs: [get, list, watch]")
	if reads < 0 || none < reads {
		t.Error("the rule that drops reads comes before the one that keeps the controller's")
	}
}

func TestLargest(t *testing.T) {
	if got := Largest(map[string]int{"a": 1, "b": 3, "c": 1}); !cmp.Equal(got, []string{"b", "a", "c"}) {
		t.Errorf("got %v", got)
	}
}
