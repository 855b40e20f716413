// Package require makes sure of what the cluster needs from the machine.
package require

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// programs maps a Debian package to the program that shows it is installed;
// for other packages that is the package's name.
var programs = map[string]string{"nftables": "nft", "iproute2": "ip", "busybox-static": "busybox"}

// ClusterPackages are what nodes need: runc from a package, because it must be
// linked with libseccomp, and nft, which kube-proxy runs.
func ClusterPackages() []string { return []string{"runc", "nftables"} }

// Root returns an error when this process is not root.
func Root() error {
	if os.Geteuid() == 0 {
		return nil
	}
	return errors.New("this needs root, for network namespaces, mounts and cgroups: run it as root, " +
		"or use any cluster that KUBECONFIG names instead, with kubectl apply")
}

// Packages installs the missing ones among the packages with apt-get, after
// saying so on progress. Without apt-get, or without root, an error names them.
func Packages(ctx context.Context, packages []string, progress io.Writer) error {
	var missing []string
	for _, name := range packages {
		if !installed(name) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	list := strings.Join(missing, ", ")
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("please install: %s (there is no apt-get here that could do it)", list)
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("please install: %s (as root: apt-get install %s)", list, strings.Join(missing, " "))
	}
	fmt.Fprintf(progress, "installing the system packages %s ...\n", list)
	if err := aptGet(ctx, "update"); err != nil {
		return err
	}
	return aptGet(ctx, append([]string{"install", "-y", "--no-install-recommends"}, missing...)...)
}

func installed(name string) bool {
	program, known := programs[name]
	if !known {
		program = name
	}
	return Find(program) != ""
}

// Find returns the path of a program of this machine, "" when there is none.
func Find(program string) string {
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	// Ordinary users' PATH often lacks the administrators' directories.
	for _, dir := range []string{"/usr/local/sbin/", "/usr/sbin/", "/sbin/"} {
		if _, err := os.Stat(dir + program); err == nil {
			return dir + program
		}
	}
	return ""
}

func aptGet(ctx context.Context, args ...string) error {
	command := exec.CommandContext(ctx, "apt-get", append([]string{"-q"}, args...)...)
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get %s: %w\n%s", strings.Join(args, " "), err, output)
	}
	return nil
}
