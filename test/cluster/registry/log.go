package registry

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"
)

// Entry is one answered request.
type Entry struct {
	// Time is when the request arrived, and Duration how long the answer took.
	Time     time.Time `json:"time"`
	Duration Duration  `json:"duration"`
	Remote   string    `json:"remote"`
	Method   string    `json:"method"`
	Path     string    `json:"path"`
	Status   int       `json:"status"`
	Bytes    int64     `json:"bytes"`
	// Fault is what a rule has done to the answer: status, redirect, stall,
	// truncate or corrupt.
	Fault     string `json:"fault,omitempty"`
	User      string `json:"user,omitempty"`
	Host      string `json:"host"`
	UserAgent string `json:"userAgent,omitempty"`
	// Namespace is the registry that a client takes this one for: containerd
	// says so in the query "ns".
	Namespace string `json:"ns,omitempty"`
}

// Log is the access log: a file with one JSON object per line.
type Log struct {
	mutex   sync.Mutex
	file    *os.File
	entries []Entry
}

// OpenLog opens the log in the file and reads what is in it. A last line that
// an interrupted write cut short is skipped.
func OpenLog(path string) (*Log, error) {
	log := &Log{}
	if err := log.load(path); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	log.file = file
	return log, err
}

func (l *Log) load(path string) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var entry Entry
		if json.Unmarshal(lines.Bytes(), &entry) == nil {
			l.entries = append(l.entries, entry)
		}
	}
	return lines.Err()
}

// Add appends the entry.
func (l *Log) Add(entry Entry) error {
	line, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.entries = append(l.entries, entry)
	_, err = l.file.Write(append(line, '\n'))
	return err
}

// Since returns the entries of requests that arrived at that time or later, in
// the order their answers ended. It never returns nil.
func (l *Log) Since(since time.Time) []Entry {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	entries := []Entry{}
	for _, entry := range l.entries {
		if !entry.Time.Before(since) {
			entries = append(entries, entry)
		}
	}
	return entries
}

// Clear forgets all entries.
func (l *Log) Clear() error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.entries = nil
	return l.file.Truncate(0)
}
