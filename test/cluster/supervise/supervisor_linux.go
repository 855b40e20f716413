package supervise

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubefledged/kubefledged-operator/test/cluster/cgroups"
	"github.com/kubefledged/kubefledged-operator/test/cluster/components"
	"github.com/kubefledged/kubefledged-operator/test/cluster/network"
)

// Supervisor keeps the records and logs of one cluster's components.
type Supervisor struct {
	// Dir is the cluster's directory.
	Dir string
	// Cgroup receives every process.
	Cgroup string
	// Path is the PATH of the components.
	Path string
}

// maxFileName leaves room for an extension: a file's name has 255 characters.
const maxFileName = 200

// fileName is the component's name without the slash, and with a hash instead
// of a node's name that is too long for a file's.
func fileName(component string) string {
	name := strings.ReplaceAll(component, "/", "-")
	if len(name) <= maxFileName {
		return name
	}
	kind, node, _ := strings.Cut(component, "/")
	return kind + "-" + network.ShortHash(node)
}

// Log returns the path of the component's log.
func (s Supervisor) Log(component string) string {
	return filepath.Join(s.Dir, "logs", fileName(component)+".log")
}

func (s Supervisor) record(component string) string {
	return filepath.Join(s.Dir, "run", fileName(component)+".json")
}

func (s Supervisor) markerOf(component string) string { return s.Dir + "|" + component }

// Find returns the component's process if it runs. A record that does not fit
// any more, after a crash or a restart of the machine, is as good as none.
func (s Supervisor) Find(component string) (Process, bool) {
	content, err := os.ReadFile(s.record(component))
	if err != nil {
		return Process{}, false
	}
	var process Process
	if err := json.Unmarshal(content, &process); err != nil {
		return Process{}, false
	}
	if !process.Running() {
		return Process{}, false
	}
	marker, _ := process.marker()
	return process, marker == s.markerOf(component)
}

// Start starts the component unless it runs, and tells whether it did.
func (s Supervisor) Start(component components.Component) (started bool, err error) {
	if _, running := s.Find(component.Name); running {
		return false, nil
	}
	// A start that was interrupted before the record was written leaves a
	// process behind; two of one kind would fight over files and ports.
	if err := s.killUnrecorded(component); err != nil {
		return false, err
	}
	if err := prepare(component); err != nil {
		return false, err
	}
	if err := os.MkdirAll(filepath.Join(s.Dir, "run"), 0o755); err != nil {
		return false, err
	}
	command, closeLog, err := s.command(component)
	if err != nil {
		return false, err
	}
	defer closeLog()
	if err := s.In(component, command.Start); err != nil {
		return false, fmt.Errorf("starting %s: %w", component.Name, err)
	}
	// Waiting reaps the process should it end while this program still runs.
	go func() { _ = command.Wait() }()
	return true, s.adopt(component, command.Process.Pid)
}

// adopt puts the new process on record and into the cluster's cgroup.
func (s Supervisor) adopt(component components.Component, pid int) error {
	process, found := find(pid)
	if !found {
		return fmt.Errorf("%s ended at once, see %s", component.Name, s.Log(component.Name))
	}
	awaitMarker(process)
	content, err := json.Marshal(process)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.record(component.Name), content, 0o644); err != nil {
		return err
	}
	return cgroups.Add(s.Cgroup, pid)
}

// awaitMarker waits until the process shows its environment: for an instant
// after a program has been loaded it seems to have none, and Find would take the
// process for somebody else's.
func awaitMarker(process Process) {
	for deadline := time.Now().Add(time.Second); process.Running() && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if marker, _ := process.marker(); marker != "" {
			return
		}
	}
}

// command is the component's process, in a session of its own so that it
// outlives the terminal, with its output in its log.
func (s Supervisor) command(component components.Component) (*exec.Cmd, func(), error) {
	path := s.Log(component.Name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, nil, err
	}
	log, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, nil, err
	}
	command := exec.Command(component.Command[0], component.Command[1:]...)
	command.Dir = "/"
	command.Env = append([]string{
		"PATH=" + s.Path, "HOME=/root", markerVariable + "=" + s.markerOf(component.Name),
	}, component.Env...)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if component.OwnMounts {
		command.SysProcAttr.Unshareflags = unix.CLONE_NEWNS
	}
	return command, func() { _ = log.Close() }, nil
}

func prepare(component components.Component) error {
	for _, dir := range component.Dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for _, file := range component.Files {
		if err := os.MkdirAll(filepath.Dir(file.Path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file.Path, []byte(file.Content), 0o644); err != nil {
			return err
		}
	}
	if component.Ready.File == "" {
		return nil
	}
	if err := os.Remove(component.Ready.File); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// killUnrecorded kills processes that run the component's program under its
// marker without being on record.
func (s Supervisor) killUnrecorded(component components.Component) error {
	return s.killAll(func(marker, program string) bool {
		return marker == s.markerOf(component.Name) && program == component.Command[0]
	})
}

// Stop ends the component: it asks, waits up to grace, then kills, and forgets
// the record. A component that does not run is no error.
func (s Supervisor) Stop(component string, grace time.Duration) error {
	process, running := s.Find(component)
	if running {
		if err := end(process, grace); err != nil {
			return fmt.Errorf("stopping %s: %w", component, err)
		}
	}
	if err := os.Remove(s.record(component)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// end asks the process to end unless grace is 0, and then kills it.
func end(process Process, grace time.Duration) error {
	if grace > 0 {
		if err := process.Signal(unix.SIGTERM); err != nil {
			return err
		}
		if gone(process, grace) {
			return nil
		}
	}
	if err := process.Signal(unix.SIGKILL); err != nil {
		return err
	}
	if !gone(process, 10*time.Second) {
		return fmt.Errorf("process %d does not end", process.PID)
	}
	return nil
}

func gone(process Process, wait time.Duration) bool {
	for deadline := time.Now().Add(wait); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if !process.Running() {
			return true
		}
	}
	return !process.Running()
}

// Sweep kills whatever carries the cluster's marker, on record or not, such as
// the shims that containerd left. With a node, only that node's processes.
func (s Supervisor) Sweep(node string) error {
	return s.killAll(func(marker, _ string) bool {
		component, ours := strings.CutPrefix(marker, s.Dir+"|")
		return ours && (node == "" || strings.HasSuffix(component, "/"+node))
	})
}

// SweepComponent kills whatever carries the component's marker: itself, and what
// it has started and left, such as containerd's shims.
func (s Supervisor) SweepComponent(component string) error {
	return s.killAll(func(marker, _ string) bool { return marker == s.markerOf(component) })
}

func (s Supervisor) killAll(matches func(marker, program string) bool) error {
	var errs []error
	for _, process := range all() {
		marker, program := process.marker()
		if process.PID != os.Getpid() && marker != "" && matches(marker, program) {
			errs = append(errs, end(process, 0))
		}
	}
	return errors.Join(errs...)
}
