// Package supervise starts and stops the cluster's components so that they
// outlive the program that started them, and finds them again later: by the
// process id on record, and only when the process also carries the
// component's marker and started when the record says.
package supervise

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// markerVariable is in the environment of every component and of what it
// starts; its value is the cluster's directory, "|" and the component's name.
const markerVariable = "KUBEFLEDGED_LOCALCLUSTER"

// Supervised tells whether this process is a component of a cluster.
func Supervised() bool { return os.Getenv(markerVariable) != "" }

// Process is one process of the machine at one time in its life.
type Process struct {
	PID int `json:"pid"`
	// Started is the start time in clock ticks since boot: a process id can be
	// given away again, but not with the same start time.
	Started uint64 `json:"started"`
}

// find returns the process of that id; false when there is none, or only one
// that has ended and waits for its parent.
func find(pid int) (Process, bool) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Process{}, false
	}
	// The second field is the command in parentheses and may hold anything.
	fields := strings.Fields(string(content[bytes.LastIndexByte(content, ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return Process{}, false
	}
	started, err := strconv.ParseUint(fields[19], 10, 64)
	return Process{PID: pid, Started: started}, err == nil
}

// Running tells whether the process still is what it was.
func (p Process) Running() bool {
	current, found := find(p.PID)
	return found && current == p
}

// Signal sends the signal if the process still is what it was; one that has
// ended is no error.
func (p Process) Signal(signal unix.Signal) error {
	if !p.Running() {
		return nil
	}
	if err := unix.Kill(p.PID, signal); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	return nil
}

// marker returns the component that the process belongs to, "" when it is no
// component's. The program is the process's first argument.
func (p Process) marker() (value, program string) {
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.PID))
	if err != nil {
		return "", ""
	}
	for variable := range bytes.SplitSeq(environment, []byte{0}) {
		if rest, found := strings.CutPrefix(string(variable), markerVariable+"="); found {
			value = rest
		}
	}
	if value == "" {
		return "", ""
	}
	arguments, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.PID))
	if err != nil {
		return "", ""
	}
	name, _, _ := strings.Cut(string(arguments), "\x00")
	return value, name
}

// all returns every process of the machine.
func all() []Process {
	entries, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	var processes []Process
	for _, entry := range entries {
		pid, err := strconv.Atoi(filepath.Base(entry))
		if err != nil {
			continue
		}
		if process, found := find(pid); found {
			processes = append(processes, process)
		}
	}
	return processes
}
