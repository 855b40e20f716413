// Package command has the commands of the helper that runs on nodes. The
// containers of pull Jobs run its noop, older nodes get it through install, and
// removal Jobs run remove.
//
// It runs once per image and node, often before anything else is on the node, so
// it is one small static program: no shell, no flag framework, no Kubernetes
// client.
package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/kubefledged/kubefledged-operator/internal/cri"
	"github.com/kubefledged/kubefledged-operator/internal/version"
)

// UsageError says that the arguments were wrong, as opposed to the work failing.
type UsageError struct{ msg string }

// Error returns what was wrong, followed by the help text.
func (e *UsageError) Error() string { return e.msg + "\n\n" + Help() }

// command is one verb of the helper. Its run gets exactly len(params) arguments,
// or any if the last one is repeated.
type command struct {
	name   string
	params []string
	help   string
	run    func(ctx context.Context, args []string, out io.Writer) error
}

func commands() []command {
	return []command{
		{"noop", nil, "exit at once with success", runNoop},
		{"install", []string{"DIR"}, "copy this program to DIR/" + cri.ProgramName, runInstall},
		{"remove", []string{"IMAGE..."}, "remove images from this node; see remove --help", runRemove},
		{"version", nil, "print the version", runVersion},
	}
}

// Run executes the command that args name. Results go to out.
func Run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return &UsageError{"no command given"}
	}
	if isHelp(args[0]) {
		_, err := io.WriteString(out, Help())
		return err
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.call(ctx, args[1:], out)
		}
	}
	return &UsageError{fmt.Sprintf("unknown command %q", args[0])}
}

func isHelp(arg string) bool { return arg == "help" || arg == "-h" || arg == "--help" }

func (c command) call(ctx context.Context, args []string, out io.Writer) error {
	if len(args) != len(c.params) && !c.takesMany() {
		return &UsageError{fmt.Sprintf("%s takes %d argument(s), got %d", c.name, len(c.params), len(args))}
	}
	return c.run(ctx, args, out)
}

func (c command) takesMany() bool {
	return len(c.params) > 0 && strings.HasSuffix(c.params[len(c.params)-1], "...")
}

// Help lists the commands, one a line.
func Help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: %s COMMAND\n\n", cri.ProgramName)
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-16s %s\n", strings.Join(append([]string{c.name}, c.params...), " "), c.help)
	}
	return b.String()
}

// runNoop has nothing to do: that its container started shows that the kubelet
// had pulled the pod's images.
func runNoop(context.Context, []string, io.Writer) error { return nil }

func runInstall(_ context.Context, args []string, _ io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("install: find this program: %w", err)
	}
	return cri.Install(self, args[0])
}

func runVersion(_ context.Context, _ []string, out io.Writer) error {
	_, err := fmt.Fprintln(out, cri.ProgramName, version.String())
	return err
}
