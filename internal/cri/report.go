package cri

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"
)

// MaxRemovals is how many images one `remove` takes. Their results fit a
// termination message even where their names do not.
const MaxRemovals = 150

// MaxTerminationMessage is how many bytes the kubelet reads of a container's
// termination message (pkg/kubelet/container, MaxContainerTerminationMessageLength).
const MaxTerminationMessage = 4096

// Result is what became of one image.
type Result string

// Results of a removal. All but InUse, Pinned and Failed settle the request: the
// node has the image no longer, or others want it.
const (
	// Removed: the image was there and is gone.
	Removed Result = "Removed"
	// Absent: the image was not there.
	Absent Result = "Absent"
	// Shared: the image stays, because it has another name that is wanted or
	// that nobody asked to remove.
	Shared Result = "Shared"
	// InUse: the image stays, because a pod uses it. Worth another try.
	InUse Result = "InUse"
	// Pinned: the image stays, because the node's administrator or the runtime
	// pinned it, as with the image of pods' sandboxes.
	Pinned Result = "Pinned"
	// Failed: the image stays or may stay, and the message says why.
	Failed Result = "Failed"
)

// ImageResult is what became of one image, and why.
type ImageResult struct {
	// Image is the name as it was given.
	Image string `json:"image,omitempty"`
	// Result is one of the constants of that type.
	Result Result `json:"result"`
	// Message says why an image stays, in words for users.
	Message string `json:"message,omitempty"`
}

// Report is the answer to a removal, one entry for each image in the order of
// the arguments. It is printed, and is the container's termination message.
type Report struct {
	Images []ImageResult `json:"images"`
}

// Failures counts the images that have failed.
func (r Report) Failures() int {
	n := 0
	for _, image := range r.Images {
		if image.Result == Failed {
			n++
		}
	}
	return n
}

// Encode returns the report as one line of JSON.
func (r Report) Encode() ([]byte, error) {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false) // messages are read by people too
	if err := encoder.Encode(r); err != nil {
		return nil, fmt.Errorf("encode the report: %w", err)
	}
	return line.Bytes(), nil
}

// EncodeWithin returns the report in at most limit bytes, if it can: messages
// are cut, as long ones first, then left out; names are left out last, since
// ParseReport knows them from the order. No image is ever left out.
func (r Report) EncodeWithin(limit int) ([]byte, error) {
	line, err := r.Encode()
	for _, length := range []int{1024, 512, 256, 128, 64, 32, 0} {
		if err != nil || len(line) <= limit {
			return line, err
		}
		line, err = r.shortened(length).Encode()
	}
	if err != nil || len(line) <= limit {
		return line, err
	}
	return r.anonymous().Encode()
}

func (r Report) shortened(length int) Report {
	images := make([]ImageResult, len(r.Images))
	for i, image := range r.Images {
		image.Message = shorten(image.Message, length)
		images[i] = image
	}
	return Report{images}
}

func (r Report) anonymous() Report {
	images := make([]ImageResult, len(r.Images))
	for i, image := range r.Images {
		images[i].Result = image.Result
	}
	return Report{images}
}

// shorten cuts between characters.
func shorten(s string, length int) string {
	const ellipsis = "..."
	if len(s) <= length {
		return s
	}
	if length <= len(ellipsis) {
		return ""
	}
	end := length - len(ellipsis)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}

// ParseReport reads a termination message that answers a removal of images.
func ParseReport(message string, images []string) (Report, error) {
	var report Report
	if err := json.Unmarshal([]byte(message), &report); err != nil {
		return Report{}, fmt.Errorf("read the report of a removal: %w", err)
	}
	if len(report.Images) != len(images) {
		return Report{}, fmt.Errorf("the report of a removal is about %d images, asked were %d", len(report.Images), len(images))
	}
	for i, want := range images {
		if got := &report.Images[i].Image; *got == "" {
			*got = want
		} else if *got != want {
			return Report{}, fmt.Errorf("the report of a removal is about %q where %q was asked", *got, want)
		}
	}
	return report, nil
}

// RuntimeEndpoint returns the flag of `remove` that names the runtime's socket,
// an absolute path.
func RuntimeEndpoint(socket string) string { return "--runtime-endpoint=unix://" + socket }

// TimeLimit returns the flag of `remove` that bounds the whole of it.
func TimeLimit(limit time.Duration) string { return "--timeout=" + limit.String() }

// RemoveArgs returns the helper's arguments that remove images and keep others;
// flags are further flags of the command, such as RuntimeEndpoint.
// Two thousand names to keep are far below what Linux takes (128 KiB for one
// argument, 2 MiB for all: MAX_ARG_STRLEN and a quarter of the stack's limit).
func RemoveArgs(keep, images []string, flags ...string) []string {
	args := make([]string, 0, len(flags)+len(keep)+len(images)+2)
	args = append(args, "remove")
	args = append(args, flags...)
	for _, name := range keep {
		args = append(args, "--keep="+name)
	}
	args = append(args, "--") // what follows is a name, whatever it begins with
	return append(args, images...)
}
