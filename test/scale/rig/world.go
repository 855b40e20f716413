// Package rig builds a control plane with simulated nodes, runs the image-cache
// controller against it, and measures what its work costs.
package rig

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
	"github.com/kubefledged/kubefledged-operator/test/scale/accounts"
)

//go:embed stages.yaml
var stages string

// Settings say what is measured.
type Settings struct {
	// Cluster is the name of the local cluster, made anew and taken down.
	Cluster string
	// Nodes and Images are the size.
	Nodes, Images int
	// JobControllerQPS is the controller manager's --kube-api-qps; its
	// --kube-api-burst is half as much again, as with the defaults 20 and 30.
	JobControllerQPS int
	// ImagesPerJob is the image-cache controller's --images-per-job, 0 for auto.
	ImagesPerJob int
	// ControllerFlags are added to the image-cache controller's.
	ControllerFlags []string
	// Short leaves out the parts that take long, and Without those it names.
	Short   bool
	Without []string
	// LeaseSeconds is how long the lease of a simulated node lasts. With
	// thousands of nodes their renewals are most of what two cores can do.
	LeaseSeconds int
	// Listed is how many images a node reports of those it has.
	Listed int
	// PartLimit is the longest that a part may take.
	PartLimit time.Duration
	// Keep leaves the control plane and the logs as they are at the end.
	Keep bool
}

// Rig is a running world.
type Rig struct {
	Settings

	cluster *lab.Cluster
	typed   kubernetes.Interface
	log     accounts.Log
	out     io.Writer
	// work holds the files of this run.
	work       string
	kubelets   *process
	controller *process
	// self and program are the paths of this program and of the controller.
	self, program string
	// wanted are the images of the first ImageCache.
	wanted []v1alpha2.Image
	// operation is the number of the last user request, so that each has its own.
	operation int
	// revived is how often the controller ended by itself.
	revived int
}

// New returns a rig that tells out what it does.
func New(s Settings, out io.Writer) (*Rig, error) {
	cluster, err := lab.New(s.Cluster, io.Discard)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r := &Rig{Settings: s, cluster: cluster, out: out, self: self, wanted: images(s.Images)}
	r.program = filepath.Join(cluster.Root, "bin", "scale-controller")
	return r, nil
}

// Root is the checkout.
func (r *Rig) Root() string { return r.cluster.Root }

func (r *Rig) say(format string, args ...any) {
	fmt.Fprintf(r.out, "%s "+format+"\n", append([]any{clock.Now().Format("15:04:05")}, args...)...)
}

// Up starts the control plane, the simulated nodes and their kubelets.
func (r *Rig) Up(ctx context.Context) error {
	if err := r.cluster.Down(ctx); err != nil {
		return err
	}
	var err error
	if r.work, err = os.MkdirTemp("", "kubefledged-scale-"); err != nil {
		return err
	}
	steps := []struct {
		name string
		do   func(context.Context) error
	}{
		{"build the controller", r.build},
		{"start the control plane", r.startControlPlane},
		{"install CRDs, roles and identities", r.install},
		{"start kubelets", r.startKubelets},
		{fmt.Sprintf("add %d nodes", r.Nodes), func(ctx context.Context) error { return r.addNodes(ctx, 0, r.Nodes) }},
	}
	for _, step := range steps {
		r.say("%s", step.name)
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

// Down ends all of it.
func (r *Rig) Down(ctx context.Context) error {
	var errs []error
	for _, p := range []*process{r.controller, r.kubelets} {
		if p != nil {
			errs = append(errs, p.stop())
		}
	}
	if r.Keep {
		r.say("kept: %s; bin/localcluster down --name %s", r.work, r.Cluster)
		return errors.Join(errs...)
	}
	errs = append(errs, r.cluster.Down(ctx))
	if r.work != "" {
		errs = append(errs, os.RemoveAll(r.work))
	}
	return errors.Join(errs...)
}

// build compiles the controller of this checkout.
func (r *Rig) build(ctx context.Context) error {
	command := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", r.program, "./cmd/kubefledged-controller")
	command.Dir = r.cluster.Root
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	return nil
}

func (r *Rig) file(name, content string) (string, error) {
	path := filepath.Join(r.work, name)
	return path, os.WriteFile(path, []byte(content), 0o600)
}

func (r *Rig) startControlPlane(ctx context.Context) error {
	policy, err := r.file("audit.yaml", accounts.Policy)
	if err != nil {
		return err
	}
	config, err := r.file("stages.yaml", stages)
	if err != nil {
		return err
	}
	r.log.Path = filepath.Join(r.work, "audit.log")
	flags := []string{"up", "--nodes=0", "--kwok=" + config}
	for _, flag := range []string{
		"kube-apiserver=--audit-policy-file=" + policy,
		"kube-apiserver=--audit-log-path=" + r.log.Path,
		// One file: its size is where a measurement begins and ends.
		"kube-apiserver=--audit-log-maxsize=100000",
		// How late a lease may be is not what is measured, and the machine may be busy.
		"kube-controller-manager=--node-monitor-grace-period=10m",
		fmt.Sprintf("kube-controller-manager=--kube-api-qps=%d", r.JobControllerQPS),
		fmt.Sprintf("kube-controller-manager=--kube-api-burst=%d", r.JobControllerQPS*3/2),
		fmt.Sprintf("kwok=--node-lease-duration-seconds=%d", r.LeaseSeconds),
	} {
		flags = append(flags, "--flag="+flag)
	}
	if _, err := r.cluster.Run(ctx, flags...); err != nil {
		return err
	}
	if err := r.cluster.Up(ctx, 0); err != nil { // connects
		return err
	}
	kubeconfig, err := r.cluster.Run(ctx, "path", "kubeconfig")
	if err != nil {
		return err
	}
	config2, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config2.QPS, config2.ContentType = -1, runtime.ContentTypeProtobuf
	r.typed, err = kubernetes.NewForConfig(config2)
	return err
}

// install applies what a user of config/default would, but for the Deployment,
// and gives the controller its real identity, so that its rights and its share
// of the API server are those of a real one.
func (r *Rig) install(ctx context.Context) error {
	for _, args := range [][]string{
		{"create", "namespace", lab.Namespace},
		{"create", "namespace", namespace},
		{"apply", "--server-side", "-k", filepath.Join(r.cluster.Root, "config", "crd")},
		{"apply", "--server-side", "-k", filepath.Join(r.cluster.Root, "config", "rbac")},
		{"apply", "--server-side", "-k", filepath.Join(r.cluster.Root, "config", "removal")},
		{"create", "clusterrolebinding", accounts.Kubelets, "--clusterrole=cluster-admin", "--user=" + accounts.Kubelets},
		// Nothing but our Jobs runs on the simulated nodes.
		{"delete", "-n", "kube-system", "deployment", "--all"},
		{"wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"},
	} {
		if _, err := r.cluster.Kubectl(ctx, args...); err != nil {
			return err
		}
	}
	token, err := r.cluster.Kubectl(ctx, "create", "token", lab.ControllerName, "-n", lab.Namespace, "--duration=24h")
	if err != nil {
		return err
	}
	return r.writeKubeconfigs(token)
}

// kubeconfig's address is that inside the control plane's network.
const kubeconfig = `apiVersion: v1
kind: Config
current-context: scale
contexts: [{name: scale, context: {cluster: scale, user: scale}}]
clusters: [{name: scale, cluster: {server: "https://198.18.0.1:6443", certificate-authority: %q}}]
users: [{name: scale, user: %s}]
`

func (r *Rig) writeKubeconfigs(token string) error {
	pki := func(name string) string { return filepath.Join(r.cluster.Dir, "pki", name) }
	kubelets := fmt.Sprintf(`{client-certificate: %q, client-key: %q, as: %s, as-groups: ["system:nodes"]}`,
		pki("admin-client.crt"), pki("admin-client.key"), accounts.Kubelets)
	for name, user := range map[string]string{
		"controller.kubeconfig": fmt.Sprintf("{token: %q}", token), "kubelets.kubeconfig": kubelets,
	} {
		if _, err := r.file(name, fmt.Sprintf(kubeconfig, pki("ca.crt"), user)); err != nil {
			return err
		}
	}
	return nil
}

// inside returns a command in the control plane's network.
func (r *Rig) inside(ctx context.Context, command ...string) ([]string, error) {
	netns, err := r.cluster.Run(ctx, "path", "netns")
	if err != nil {
		return nil, err
	}
	return append([]string{"nsenter", "--net=" + strings.TrimSpace(netns), "--"}, command...), nil
}

// socket is where the kubelets tell what their nodes have.
func (r *Rig) socket() string { return filepath.Join(r.work, "kubelets.sock") }

func (r *Rig) startKubelets(ctx context.Context) error {
	command, err := r.inside(ctx, r.self, "-kubelets="+filepath.Join(r.work, "kubelets.kubeconfig"), "-socket="+r.socket(), fmt.Sprintf("-list=%d", r.Listed))
	if err != nil {
		return err
	}
	r.kubelets, err = start(command, filepath.Join(r.work, "kubelets.log"))
	return err
}

func (r *Rig) imagesPerJob() string {
	if r.ImagesPerJob == 0 {
		return "auto"
	}
	return strconv.Itoa(r.ImagesPerJob)
}

// startController starts the controller with the chart's defaults.
func (r *Rig) startController(ctx context.Context) error {
	command, err := r.inside(ctx, append([]string{
		r.program,
		"--kubeconfig=" + filepath.Join(r.work, "controller.kubeconfig"),
		"--namespace=" + lab.Namespace,
		"--helper-image=" + helperImage,
		"--jobs-max-surge=100", "--images-per-job=" + r.imagesPerJob(),
		"--metrics-bind-address=127.0.0.1:18080", "--health-probe-bind-address=127.0.0.1:18081",
	}, r.ControllerFlags...)...)
	if err != nil {
		return err
	}
	r.controller, err = start(command, filepath.Join(r.work, "controller.log"))
	return err
}

// revive starts the controller again when it has ended, as a Deployment would:
// it does when an API server is too busy to renew its lease for ten seconds.
func (r *Rig) revive(ctx context.Context) error {
	if r.kubelets.over.Load() {
		return fmt.Errorf("the kubelets have ended: %s", r.tail("kubelets.log"))
	}
	if r.controller == nil || !r.controller.over.Load() {
		return nil
	}
	r.revived++
	r.say("  the controller has ended and is started again: %s", r.tail("controller.log"))
	if r.revived > mostRevivals {
		return errors.New("the controller ends again and again")
	}
	return r.startController(ctx)
}

// mostRevivals is how often that may happen in a run.
const mostRevivals = 5

// tail returns the last line of a log.
func (r *Rig) tail(name string) string {
	content, err := os.ReadFile(filepath.Join(r.work, name))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return lines[len(lines)-1]
}

// wait polls until look is done or ctx is.
func (r *Rig) wait(ctx context.Context, every time.Duration, look func(context.Context) (bool, error)) error {
	for {
		done, err := look(ctx)
		if done || err != nil {
			return err
		}
		if err := r.revive(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-clock.After(every):
		}
	}
}
