package supervise

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubefledged/kubefledged-operator/test/cluster/components"
)

func TestFindsItself(t *testing.T) {
	t.Parallel()
	process, found := find(os.Getpid())
	if !found || !process.Running() {
		t.Fatalf("process %+v, found %t", process, found)
	}
	process.Started++
	if process.Running() {
		t.Error("a process id with another start time is taken for the same process")
	}
	if err := process.Signal(unix.SIGKILL); err != nil {
		t.Error(err)
	}
}

// start runs a process with the marker of a component of s.
func start(t *testing.T, s Supervisor, component, script string) Process {
	t.Helper()
	command := exec.CommandContext(t.Context(), "sh", "-c", script)
	command.Env = append(os.Environ(), markerVariable+"="+s.markerOf(component))
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = command.Wait() }()
	process, found := find(command.Process.Pid)
	if !found {
		t.Fatal("the process is gone")
	}
	awaitMarker(process)
	return process
}

func TestRecordsOfOtherProcessesDoNotCount(t *testing.T) {
	t.Parallel()
	s := Supervisor{Dir: t.TempDir()}
	process := start(t, s, "a", "sleep 60")
	record := []byte(`{"pid":` + strconv.Itoa(process.PID) + `,"started":` + strconv.Itoa(int(process.Started)) + `}`)
	for _, name := range []string{"a", "b"} {
		if err := os.MkdirAll(filepath.Dir(s.record(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.record(name), record, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if found, running := s.Find("a"); !running || found != process {
		t.Errorf("found %+v, running %t", found, running)
	}
	if _, running := s.Find("b"); running {
		t.Error("a process without the component's marker is taken for it")
	}
	if err := s.Stop("b", 0); err != nil || !process.Running() {
		t.Errorf("stopping b: error %v, and a runs: %t", err, process.Running())
	}
	if err := s.Stop("a", time.Second); err != nil || process.Running() {
		t.Errorf("stopping a: error %v, and it runs: %t", err, process.Running())
	}
}

func TestStopKillsWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	process := start(t, Supervisor{Dir: t.TempDir()}, "a", `trap "" TERM; while :; do sleep 0.1; done`)
	time.Sleep(100 * time.Millisecond)
	if err := end(process, 300*time.Millisecond); err != nil || process.Running() {
		t.Errorf("error %v, runs: %t", err, process.Running())
	}
}

func TestSweepTakesOnlyTheNode(t *testing.T) {
	t.Parallel()
	s := Supervisor{Dir: t.TempDir()}
	mine, other := start(t, s, "kubelet/a", "sleep 60"), start(t, s, "kubelet/b", "sleep 60")
	stranger := start(t, Supervisor{Dir: t.TempDir()}, "kubelet/a", "sleep 60")
	if err := s.Sweep("a"); err != nil || mine.Running() || !other.Running() {
		t.Errorf("error %v, running: %t and %t", err, mine.Running(), other.Running())
	}
	if err := s.Sweep(""); err != nil || other.Running() || !stranger.Running() {
		t.Errorf("error %v, running: %t and another cluster's %t", err, other.Running(), stranger.Running())
	}
}

func TestSweepComponentTakesWhatItHasStarted(t *testing.T) {
	t.Parallel()
	s := Supervisor{Dir: t.TempDir()}
	shim, other := start(t, s, "containerd/a", "sleep 60"), start(t, s, "kubelet/a", "sleep 60")
	if err := s.SweepComponent("containerd/a"); err != nil || shim.Running() || !other.Running() {
		t.Errorf("error %v, running: %t and another component's %t", err, shim.Running(), other.Running())
	}
	if err := s.Sweep(""); err != nil {
		t.Error(err)
	}
}

func TestPrepareWritesFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ready := filepath.Join(dir, "ready")
	if err := os.WriteFile(ready, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	err := prepare(components.Component{
		Dirs:  []string{filepath.Join(dir, "a", "b")},
		Files: []components.File{{Path: filepath.Join(dir, "c", "d"), Content: "text"}},
		Ready: components.Check{File: ready},
	})
	if err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(filepath.Join(dir, "c", "d")); err != nil || string(content) != "text" {
		t.Errorf("%q, %v", content, err)
	}
	if _, err := os.Stat(ready); !os.IsNotExist(err) {
		t.Error("the sign of an earlier start is still there")
	}
}
