package registry

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Names of the faults in the log.
const (
	faultStatus   = "status"
	faultRedirect = "redirect"
	faultStall    = "stall"
	faultTruncate = "truncate"
	faultCorrupt  = "corrupt"
)

// stallLimit is how long a stalled connection stays open: longer than any
// client is patient in a test, and short enough that none outlives a day.
const stallLimit = 15 * time.Minute

// corruptEvery is the distance of the bytes that corruption changes: a download
// that is taken up again where it broke off is wrong too.
const corruptEvery = 4096

// errCut ends an answer before its end. net/http then closes the connection: less
// has been written than Content-Length promised.
var errCut = errors.New("cut off by rule of the local registry")

// faultyBody is the answer to a request for a blob that may meet a fault on the
// way.
type faultyBody struct {
	*meter
	verdict verdict
	// stall waits until the fault is over, and returns errCut when it never is.
	stall func() error
	// position is that of the next byte in the blob.
	position int64
	// decided is set once the fault has been met, or this request is to be
	// spared.
	decided bool
}

// WriteHeader notes where a part of a blob begins.
func (f *faultyBody) WriteHeader(status int) {
	if status == http.StatusPartialContent {
		// What is no range leaves 0, the beginning.
		_, _ = fmt.Sscanf(f.Header().Get("Content-Range"), "bytes %d-", &f.position)
	}
	f.meter.WriteHeader(status)
}

// Write passes content on until the fault is met.
func (f *faultyBody) Write(content []byte) (int, error) {
	room := max(0, f.verdict.bodyFaultAt()-f.position)
	if f.decided || int64(len(content)) <= room || f.statusCode() >= http.StatusMultipleChoices {
		return f.advance(content)
	}
	written, err := f.advance(content[:room])
	if err != nil {
		return written, err
	}
	if err := f.meet(); err != nil {
		return written, err
	}
	rest, err := f.advance(content[room:])
	return written + rest, err
}

// ReadFrom hides that of the meter, which would not pass here.
func (f *faultyBody) ReadFrom(source io.Reader) (int64, error) {
	return io.Copy(writerOnly{f}, source)
}

// advance writes what comes next, with its bytes changed once that is the fault.
func (f *faultyBody) advance(content []byte) (int, error) {
	if f.fault == faultCorrupt {
		content = corrupted(content, f.position-f.verdict.CorruptAfterBytes)
	}
	written, err := f.meter.Write(content)
	f.position += int64(written)
	return written, err
}

// corrupted returns a copy with every byte inverted that corruption changes.
// position is that of the first byte, counted from where the corruption begins.
func corrupted(content []byte, position int64) []byte {
	wrong := bytes.Clone(content)
	for index := (corruptEvery - position%corruptEvery) % corruptEvery; index < int64(len(wrong)); index += corruptEvery {
		wrong[index] ^= 0xff
	}
	return wrong
}

// meet meets the fault unless this request is to be spared. It returns nil when
// the answer is to go on.
func (f *faultyBody) meet() error {
	if f.decided = true; !f.verdict.meets() {
		return nil
	}
	if f.verdict.CorruptAfterBytes > 0 {
		f.fault = faultCorrupt
		return nil
	}
	// What has been sent so far must arrive.
	if err := http.NewResponseController(f.meter).Flush(); err != nil {
		return err
	}
	if f.verdict.StallAfterBytes > 0 {
		f.fault = faultStall
		return f.stall()
	}
	f.fault = faultTruncate
	return errCut
}
