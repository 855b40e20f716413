package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/kubefledged/kubefledged-operator/test/cluster/components"
	"github.com/kubefledged/kubefledged-operator/test/cluster/network"
)

// In runs work on a thread that is in the component's namespaces, which work
// must not leave by starting a goroutine. The thread ends with its goroutine,
// because a changed mount namespace is never undone.
func (s Supervisor) In(component components.Component, work func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if err := s.Enter(component); err != nil {
			result <- err
			return
		}
		result <- work()
	}()
	return <-result
}

// Enter moves the calling thread, which must be locked to its goroutine, into
// the component's namespaces for good.
func (s Supervisor) Enter(component components.Component) error {
	// Opened first: the sandbox does not see namespaces made after it.
	var target *os.File
	if component.Namespace != "" {
		var err error
		if target, err = os.Open(network.Path(component.Namespace)); err != nil {
			return err
		}
		defer target.Close()
	}
	if component.Sandbox != "" {
		if err := s.enterMounts(component.Sandbox); err != nil {
			return err
		}
	}
	if target == nil {
		return nil
	}
	return setNamespace(target, unix.CLONE_NEWNET)
}

func (s Supervisor) enterMounts(sandbox string) error {
	process, running := s.Find(sandbox)
	if !running {
		return fmt.Errorf("%s does not run", sandbox)
	}
	target, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", process.PID))
	if err != nil {
		return err
	}
	defer target.Close()
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	return setNamespace(target, unix.CLONE_NEWNS)
}

func setNamespace(target *os.File, kind int) error {
	if err := unix.Setns(int(target.Fd()), kind); err != nil {
		return fmt.Errorf("entering %s: %w", target.Name(), err)
	}
	return nil
}

// Run runs a short-lived command where the component runs and returns its
// output.
func (s Supervisor) Run(component components.Component, command []string) ([]byte, error) {
	var output []byte
	err := s.In(component, func() error {
		process := exec.Command(command[0], command[1:]...)
		process.Dir = "/"
		process.Env = append([]string{"PATH=" + s.Path, "HOME=/root"}, component.Env...)
		var err error
		output, err = process.CombinedOutput()
		return err
	})
	return output, err
}
