package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kubefledged/kubefledged-operator/internal/cri"
	"github.com/kubefledged/kubefledged-operator/internal/cri/removal"
)

const (
	defaultEndpoint = "unix:///run/containerd/containerd.sock"
	defaultTimeout  = 2 * time.Minute
	// defaultMessagePath is where the kubelet mounts the file of the termination
	// message, unless the container says otherwise.
	defaultMessagePath = "/dev/termination-log"
)

const removeHelp = `remove asks the node's container runtime to remove images, and prints what became
of each of them as one JSON object:

  {"images":[{"image":"quay.io/team/app:1","result":"Removed"}]}

  Removed  it was there and is gone
  Absent   it was not there
  Shared   it stays: it has another name that is to be kept, or that is in neither list
  InUse    it stays: a pod that runs uses it, as its image or as a volume
  Pinned   it stays: the runtime has it pinned
  Failed   the message says why

A runtime removes an image under all its names at once. So every name of an image
has to be listed, or --other-names be given, for the image to go.

Exit code: 0, 1 if an image has failed, 2 for wrong arguments.

Flags, which come before the images:
`

// names is a flag that may be given many times.
type names []string

// String implements flag.Value.
func (n *names) String() string { return strings.Join(*n, " ") }

// Set implements flag.Value.
func (n *names) Set(name string) error {
	if name == "" || strings.HasPrefix(name, "-") { // a forgotten value takes the next flag
		return fmt.Errorf("%q is no name of an image", name)
	}
	*n = append(*n, name)
	return nil
}

// removeOptions are the arguments of remove.
type removeOptions struct {
	removal.Request
	messagePath string
}

func removeFlags(o *removeOptions, endpoint *string) *flag.FlagSet {
	flags := flag.NewFlagSet("remove", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // errors are returned, and print themselves
	flags.StringVar(endpoint, "runtime-endpoint", defaultEndpoint, "`socket` of the container runtime")
	flags.DurationVar(&o.Timeout, "timeout", defaultTimeout, "`limit` for the whole")
	flags.Var((*names)(&o.Keep), "keep", "`image` that is wanted on this node; may be repeated")
	flags.BoolVar(&o.OtherNames, "other-names", false, "remove images also if they have names that are in neither list")
	flags.StringVar(&o.messagePath, "termination-message-path", defaultMessagePath, "`file` for the result, cut to what the kubelet reads")
	return flags
}

func parseRemove(args []string) (removeOptions, error) {
	var o removeOptions
	var endpoint string
	flags := removeFlags(&o, &endpoint)
	if err := flags.Parse(args); err != nil {
		return o, &UsageError{"remove: " + err.Error()}
	}
	o.Images = flags.Args()
	if err := checkImages(args, o.Images); err != nil {
		return o, err
	}
	if o.Timeout <= 0 {
		return o, &UsageError{"remove: --timeout must be more than 0"}
	}
	o.Socket = strings.TrimPrefix(endpoint, "unix://")
	if !filepath.IsAbs(o.Socket) {
		return o, &UsageError{fmt.Sprintf("remove: --runtime-endpoint %q is no socket: expected unix:///path", endpoint)}
	}
	return o, nil
}

// checkImages refuses a flag among the images: what follows it could be meant
// to be kept. After -- everything is an image.
func checkImages(args, images []string) error {
	if len(images) == 0 {
		return &UsageError{"remove: no image given"}
	}
	if len(images) > cri.MaxRemovals {
		return &UsageError{fmt.Sprintf("remove takes %d images at once, got %d", cri.MaxRemovals, len(images))}
	}
	if end := len(args) - len(images) - 1; end >= 0 && args[end] == "--" {
		return nil
	}
	for _, image := range images {
		if strings.HasPrefix(image, "-") {
			return &UsageError{fmt.Sprintf("remove: flags come before the images, %q does not", image)}
		}
	}
	return nil
}

func runRemove(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 1 && isHelp(args[0]) {
		return printRemoveHelp(out)
	}
	o, err := parseRemove(args)
	if err != nil {
		return err
	}
	report := removal.Run(ctx, o.Request)
	if err := errors.Join(printReport(report, out), writeMessage(report, o.messagePath)); err != nil {
		return err
	}
	if n := report.Failures(); n > 0 {
		return fmt.Errorf("remove: %d of %d images failed", n, len(report.Images))
	}
	return nil
}

func printRemoveHelp(out io.Writer) error {
	var o removeOptions
	var endpoint string
	flags := removeFlags(&o, &endpoint)
	flags.SetOutput(out)
	if _, err := fmt.Fprintf(out, "Usage: %s remove [FLAGS] IMAGE...\n\n%s", cri.ProgramName, removeHelp); err != nil {
		return err
	}
	flags.PrintDefaults()
	return nil
}

func printReport(report cri.Report, out io.Writer) error {
	line, err := report.Encode()
	if err != nil {
		return err
	}
	_, err = out.Write(line)
	return err
}

// writeMessage writes the termination message. Only the kubelet makes its file:
// without it this is no container, and /dev is not ours.
func writeMessage(report cri.Report, path string) error {
	line, err := report.EncodeWithin(cri.MaxTerminationMessage)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if errors.Is(err, fs.ErrNotExist) && path == defaultMessagePath {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write the termination message: %w", err)
	}
	_, err = file.Write(line)
	return errors.Join(err, file.Close())
}
