//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubefledged/kubefledged-operator/test/cluster/components"
	"github.com/kubefledged/kubefledged-operator/test/cluster/require"
)

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// StartComponent starts one component again, with what it needs left as it is,
// and waits until it is ready.
func (c *Cluster) StartComponent(ctx context.Context, name string) error {
	return c.change(ctx, func(r *running) error {
		component, err := r.component(name)
		if err != nil {
			return err
		}
		return r.ensureComponent(ctx, component)
	})
}

// StopComponent ends one component: it is asked first when there is a grace,
// and killed at once when that is 0.
func (c *Cluster) StopComponent(ctx context.Context, name string, grace time.Duration) error {
	return c.change(ctx, func(r *running) error {
		component, err := r.component(name)
		if err != nil {
			return err
		}
		return r.supervisor.Stop(component.Name, grace)
	})
}

// errUnhealthy makes status exit with 1; what is wrong has been printed.
var errUnhealthy = errors.New("not everything is healthy")

// Status writes a table of the components and an error when not all are
// healthy.
func (c *Cluster) Status(ctx context.Context, output io.Writer) error {
	if err := require.Root(); err != nil {
		return err
	}
	r, err := c.open()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(output, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "COMPONENT\tPID\tSTATUS")
	healthy := true
	for _, component := range r.plan.All() {
		pid, status := r.statusOf(ctx, component)
		healthy = healthy && status == "healthy"
		fmt.Fprintf(table, "%s\t%s\t%s\n", component.Name, pid, status)
	}
	fmt.Fprintln(table, "\nNODE\tADDRESS\tSTATUS")
	for _, node := range r.state.Nodes {
		status := r.nodeStatus(ctx, node)
		healthy = healthy && status == "Ready"
		fmt.Fprintf(table, "%s\t%s\t%s\n", node.Name, nodeAddress(node), status)
	}
	if err := table.Flush(); err != nil || healthy {
		return err
	}
	return errUnhealthy
}

func (r *running) statusOf(ctx context.Context, component components.Component) (pid, status string) {
	process, alive := r.supervisor.Find(component.Name)
	if !alive {
		return "-", "not running"
	}
	pid = strconv.Itoa(process.PID)
	if err := r.supervisor.Healthy(ctx, component); err != nil {
		return pid, "unhealthy: " + err.Error()
	}
	return pid, "healthy"
}

func (r *running) nodeStatus(ctx context.Context, node components.Node) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var found nodeObject
	if err := r.get(ctx, nodePath(node.Name), &found); err != nil {
		return "unknown: " + err.Error()
	}
	if ready, message := found.ready(time.Time{}); !ready {
		return "NotReady: " + message
	}
	return "Ready"
}

// Exec replaces this process by the command, inside the network of the control
// plane or, with a node, inside the node. It returns only when that fails.
func (c *Cluster) Exec(node string, command []string) error {
	if err := require.Root(); err != nil {
		return err
	}
	r, err := c.open()
	if err != nil {
		return err
	}
	place := components.Component{Namespace: r.plan.Names.ControlPlane()}
	if node != "" {
		if r.state.node(node) == nil {
			return fmt.Errorf("there is no node %s: want one of %s", node, r.state.nodeNames())
		}
		place.Namespace = r.plan.Names.Node(node)
		place.Sandbox = components.OnNode(components.Sandbox, node)
	}
	environment := r.environment(node)
	program, err := lookUp(command[0], r.supervisor.Path)
	if err != nil {
		return err
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	// The thread that is locked here becomes the command, with its namespaces.
	runtime.LockOSThread()
	if err := r.supervisor.Enter(place); err != nil {
		return err
	}
	if err := unix.Chdir(dir); err != nil {
		return err
	}
	return unix.Exec(program, command, environment)
}

// environment is the caller's, with what finds the cluster in front.
func (r *running) environment(node string) []string {
	own := map[string]string{
		"KUBECONFIG": r.adminKubeconfig(),
		"PATH":       r.supervisor.Path + ":" + os.Getenv("PATH"),
	}
	if node != "" {
		own["CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS"] = "1"
		own["CONTAINERD_ADDRESS"] = strings.TrimPrefix(components.RuntimeEndpoint, "unix://")
		own["CONTAINER_RUNTIME_ENDPOINT"] = components.RuntimeEndpoint
	}
	var environment []string
	for key, value := range own {
		environment = append(environment, key+"="+value)
	}
	for _, variable := range os.Environ() {
		key, _, _ := strings.Cut(variable, "=")
		if _, replaced := own[key]; !replaced {
			environment = append(environment, variable)
		}
	}
	return environment
}

// lookUp finds the program in path as well as in the caller's own PATH.
func lookUp(name, path string) (string, error) {
	if filepath.Base(name) == name {
		for _, dir := range filepath.SplitList(path) {
			candidate := filepath.Join(dir, name)
			if unix.Access(candidate, unix.X_OK) == nil {
				return candidate, nil
			}
		}
	}
	return exec.LookPath(name)
}

// Kubectl replaces this process by kubectl on this cluster.
func (c *Cluster) Kubectl(args []string) error {
	r, err := c.open()
	if err != nil {
		return err
	}
	if err := os.Setenv("KUBECONFIG", r.HostKubeconfig()); err != nil {
		return err
	}
	program := filepath.Join(r.plan.Kubernetes, "kubectl")
	return unix.Exec(program, append([]string{"kubectl"}, args...), os.Environ())
}

// Logs writes the component's log; with follow until ctx ends.
func (c *Cluster) Logs(ctx context.Context, name string, follow bool, output io.Writer) error {
	r, err := c.open()
	if err != nil {
		return err
	}
	component, err := r.component(name)
	if err != nil {
		return err
	}
	file, err := os.Open(r.supervisor.Log(component.Name))
	if err != nil {
		return err
	}
	defer file.Close()
	for {
		if _, err := io.Copy(output, file); err != nil || !follow {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(300 * time.Millisecond):
		}
	}
}
