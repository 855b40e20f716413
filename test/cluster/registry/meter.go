package registry

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"
)

// statusClientGone is logged for a client that left before it was answered, as
// other servers do; none is sent.
const statusClientGone = 499

// meter counts what is written to a client and holds it to a rate.
type meter struct {
	http.ResponseWriter
	context context.Context
	// rate is in bytes per second, 0 for as fast as can be.
	rate   int64
	status int
	bytes  int64
	// fault is what a rule has done to the answer, "" for nothing.
	fault string
	// started is when the first byte of a slowed answer was written.
	started time.Time
}

// WriteHeader notes the status.
func (m *meter) WriteHeader(status int) {
	if m.status == 0 {
		m.status = status
	}
	m.ResponseWriter.WriteHeader(status)
}

// statusCode is 200 when the handler did not say otherwise.
func (m *meter) statusCode() int {
	if m.status == 0 {
		return http.StatusOK
	}
	return m.status
}

// Write writes slices small enough for an even flow, and waits after each one
// until the rate allows the next.
func (m *meter) Write(content []byte) (int, error) {
	if m.rate <= 0 {
		count, err := m.ResponseWriter.Write(content)
		m.bytes += int64(count)
		return count, err
	}
	written := 0
	for written < len(content) {
		end := min(len(content), written+m.slice())
		count, err := m.ResponseWriter.Write(content[written:end])
		written += count
		m.bytes += int64(count)
		if err != nil {
			return written, err
		}
		if err := m.pace(); err != nil {
			return written, err
		}
	}
	return written, nil
}

// slice is a tenth of a second's bytes.
func (m *meter) slice() int { return int(max(1, min(m.rate/10, 1<<20))) }

// pace sends what is buffered and sleeps until the bytes so far are due.
func (m *meter) pace() error {
	if m.started.IsZero() {
		m.started = time.Now()
	}
	if err := http.NewResponseController(m.ResponseWriter).Flush(); err != nil {
		return err
	}
	due := m.started.Add(time.Duration(float64(m.bytes) / float64(m.rate) * float64(time.Second)))
	if !sleep(m.context, time.Until(due)) {
		return m.context.Err()
	}
	return nil
}

// ReadFrom lets the kernel copy a file to the connection when nothing slows
// it down; large layers are then as fast as the disk.
func (m *meter) ReadFrom(source io.Reader) (int64, error) {
	if m.rate > 0 {
		return io.Copy(writerOnly{m}, source)
	}
	count, err := io.Copy(m.ResponseWriter, source)
	m.bytes += count
	return count, err
}

// Unwrap lets http.ResponseController find the connection.
func (m *meter) Unwrap() http.ResponseWriter { return m.ResponseWriter }

// writerOnly hides ReadFrom, which io.Copy would call again.
type writerOnly struct{ io.Writer }

func itoa(number int) string { return strconv.Itoa(number) }
