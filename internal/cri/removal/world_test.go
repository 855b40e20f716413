package removal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/kubefledged/kubefledged-operator/internal/cri"
	"github.com/kubefledged/kubefledged-operator/internal/cri/command"
	"github.com/kubefledged/kubefledged-operator/internal/cri/critest"
)

// fakeWorld is a node with a runtime in memory. The helper runs in this process.
type fakeWorld struct {
	*testing.T
	runtime *critest.Fake
}

func TestSuiteOnFake(t *testing.T) {
	critest.Suite(t, func(t *testing.T) critest.World { return fakeWorld{t, critest.NewFake(t)} })
}

// CRI-O writes image IDs without the algorithm.
func TestSuiteOnFakeWithBareIDs(t *testing.T) {
	critest.Suite(t, func(t *testing.T) critest.World {
		runtime := critest.NewFake(t)
		runtime.BareIDs = true
		return fakeWorld{t, runtime}
	})
}

func (w fakeWorld) Name(registry, suffix string) string { return registry + "/test/" + suffix }

func (w fakeWorld) Have(names ...string) { w.runtime.AddImage(names[0], names...) }

// HaveArtifacts leaves out that their digests differ: the ID is what counts.
func (w fakeWorld) HaveArtifacts(names ...string) { w.runtime.AddImage("{}", names...) }

func (w fakeWorld) Run(image string) string {
	w.runtime.AddPod("web", runtimeapi.ContainerState_CONTAINER_RUNNING, image)
	return "team/web"
}

func (w fakeWorld) Mount(image string) string {
	w.runtime.AddPod("reader", runtimeapi.ContainerState_CONTAINER_CREATED, critest.SandboxImage, image)
	return "team/reader"
}

func (w fakeWorld) Pinned() string { return critest.SandboxImage }

func (w fakeWorld) Names() []string { return w.runtime.Names() }

func (w fakeWorld) Remove(args ...string) (cri.Report, int) {
	w.Helper()
	var out bytes.Buffer
	err := command.Run(w.Context(), append([]string{"remove", "--runtime-endpoint=unix://" + w.runtime.Socket}, args...), &out)
	if strings.Count(out.String(), "\n") != 1 {
		w.Fatalf("output %q, error %v, want one line", out.String(), err)
	}
	var report cri.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		w.Fatalf("output %q: %v", out.String(), err)
	}
	var usage *command.UsageError
	switch {
	case err == nil:
		return report, 0
	case errors.As(err, &usage):
		return report, 2
	}
	return report, 1
}
