package registry

import (
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

// corruptEvery is the distance of the bytes that corruption changes, the first
// of a blob among them: every part of a blob that is fetched alone is wrong too.
const corruptEvery = 4096

// errCut ends an answer before its end.
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
	if f.statusCode() >= http.StatusMultipleChoices {
		return f.meter.Write(content)
	}
	if f.verdict.Corrupt {
		return f.advance(f.corrupted(content))
	}
	// A rule has one of the two at most.
	room := max(0, f.verdict.StallAfterBytes+f.verdict.TruncateAfterBytes-f.position)
	if f.decided || int64(len(content)) <= room {
		return f.advance(content)
	}
	written, err := f.advance(content[:room])
	if err != nil {
		return written, err
	}
	if err := f.interrupt(); err != nil {
		return written, err
	}
	rest, err := f.advance(content[room:])
	return written + rest, err
}

// ReadFrom hides that of the meter, which would not pass here.
func (f *faultyBody) ReadFrom(source io.Reader) (int64, error) {
	return io.Copy(writerOnly{f}, source)
}

func (f *faultyBody) advance(content []byte) (int, error) {
	written, err := f.meter.Write(content)
	f.position += int64(written)
	return written, err
}

// interrupt meets the fault. It returns nil when the answer is to go on.
func (f *faultyBody) interrupt() error {
	if f.decided = true; !f.verdict.meets() {
		return nil
	}
	// What has been sent so far must arrive.
	if err := http.NewResponseController(f.meter).Flush(); err != nil {
		return err
	}
	err := errCut
	if f.fault = faultTruncate; f.verdict.StallAfterBytes > 0 {
		f.fault = faultStall
		err = f.stall()
	}
	f.cut = errors.Is(err, errCut)
	return err
}

// corrupted returns a copy with every byte inverted that corruption changes,
// and the content itself when this request is to be spared.
func (f *faultyBody) corrupted(content []byte) []byte {
	if !f.decided {
		if f.decided = true; f.verdict.meets() {
			f.fault = faultCorrupt
		}
	}
	if f.fault != faultCorrupt {
		return content
	}
	wrong := append([]byte(nil), content...)
	for index := (corruptEvery - f.position%corruptEvery) % corruptEvery; index < int64(len(wrong)); index += corruptEvery {
		wrong[index] ^= 0xff
	}
	return wrong
}
