package rig

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// process is a program of the rig. What it says goes to a file.
type process struct {
	command *exec.Cmd
	// ended is closed when it has.
	ended chan struct{}
	over  atomic.Bool
}

// start starts a program, which dies with the rig. nsenter replaces itself by
// the program, so that the process is the program's own.
func start(command []string, log string) (*process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	p := &process{command: exec.Command(command[0], command[1:]...), ended: make(chan struct{})}
	p.command.Stdout, p.command.Stderr = file, file
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.command.Wait() // what it was killed by, or its log, tells why
		p.over.Store(true)
		close(p.ended)
	}()
	return p, nil
}

// stop asks the process to end, and insists after ten seconds.
func (p *process) stop() error {
	if err := p.command.Process.Signal(syscall.SIGTERM); errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	select {
	case <-p.ended:
		return nil
	case <-clock.After(10 * time.Second):
		return p.kill()
	}
}

// kill ends the process at once.
func (p *process) kill() error {
	if err := p.command.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	return nil
}

// ticks is the kernel's USER_HZ, in which it tells times of processes.
const ticks = 100

// usage is what the kernel says of a process.
type usage struct {
	// CPU is the time it has computed.
	CPU time.Duration
	// Peak and Now are its resident memory in bytes.
	Peak, Now int64
}

func (p *process) usage() (usage, error) {
	dir := fmt.Sprintf("/proc/%d/", p.command.Process.Pid)
	stat, err := os.ReadFile(dir + "stat")
	if err != nil {
		return usage{}, err
	}
	// The second field is the program's name in parentheses; it may hold blanks.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+2:]))
	var u usage
	for _, field := range fields[11:13] { // utime, stime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return u, err
		}
		u.CPU += time.Duration(n) * time.Second / ticks
	}
	status, err := os.ReadFile(dir + "status")
	if err != nil {
		return u, err
	}
	u.Peak, u.Now = kilobytes(string(status), "VmHWM:"), kilobytes(string(status), "VmRSS:")
	return u, nil
}

// kilobytes returns a value of /proc/PID/status in bytes, 0 when it is missing.
func kilobytes(status, key string) int64 {
	for line := range strings.Lines(status) {
		if rest, found := strings.CutPrefix(line, key); found {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err == nil {
				return n << 10
			}
		}
	}
	return 0
}
