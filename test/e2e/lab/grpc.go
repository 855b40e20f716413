package lab

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
)

// Runtime is a client of the container runtime's image service (CRI, version
// runtime.v1). It speaks the little gRPC that this takes by itself: the
// libraries for it are not among the operator's requirements.
type Runtime struct{ http *http.Client }

// NewRuntime returns a client for the runtime that listens on the socket.
func NewRuntime(socket string) *Runtime {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &Runtime{&http.Client{Transport: &http.Transport{
		Protocols: protocols,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}}
}

// call sends one message and returns the one that answers it. Each travels
// behind five bytes: 0 for not compressed, and its length.
func (r *Runtime) call(ctx context.Context, method string, message []byte) ([]byte, error) {
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost,
		"http://localhost/runtime.v1.ImageService/"+method, bytes.NewReader(append(frame, message...)))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("TE", "trailers")
	response, err := r.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil {
		err = grpcError(response)
	}
	if err == nil && len(answer) < len(frame) {
		err = errors.New("the answer is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	return answer[len(frame):], nil
}

// grpcError returns the error of the trailers, which are headers when there is
// no answer.
func grpcError(response *http.Response) error {
	for _, header := range []http.Header{response.Trailer, response.Header} {
		if code := header.Get("Grpc-Status"); code != "" && code != "0" {
			message, err := url.PathUnescape(header.Get("Grpc-Message"))
			return errors.Join(fmt.Errorf("gRPC status %s: %s", code, message), err)
		}
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

// field is one field of a protocol buffer: content for strings and messages,
// number for integers.
type field struct {
	id      uint64
	number  uint64
	content []byte
}

// appendField adds a string or message.
func appendField(message []byte, id uint64, content []byte) []byte {
	message = binary.AppendUvarint(message, id<<3|2)
	message = binary.AppendUvarint(message, uint64(len(content)))
	return append(message, content...)
}

var errMalformed = errors.New("malformed protocol buffer")

// parse splits a message into its fields.
func parse(message []byte) ([]field, error) {
	var fields []field
	for len(message) > 0 {
		key, n := binary.Uvarint(message)
		if n <= 0 {
			return nil, errMalformed
		}
		f, rest, err := parseValue(key, message[n:])
		if err != nil {
			return nil, err
		}
		fields, message = append(fields, f), rest
	}
	return fields, nil
}

func parseValue(key uint64, rest []byte) (field, []byte, error) {
	f := field{id: key >> 3}
	number, n := binary.Uvarint(rest)
	if n <= 0 {
		return f, nil, errMalformed
	}
	rest = rest[n:]
	switch key & 7 {
	case 0:
		f.number = number
		return f, rest, nil
	case 2:
		if number > uint64(len(rest)) {
			return f, nil, errMalformed
		}
		f.content = rest[:number]
		return f, rest[number:], nil
	default: // CRI's image messages have no others
		return f, nil, errMalformed
	}
}
