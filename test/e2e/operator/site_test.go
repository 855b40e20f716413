//go:build e2e

package operator

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// Nodes of a cluster.
const (
	plainNode   = "worker1"
	backendNode = "worker2"
)

// currentTag is what the images of this checkout are called.
const currentTag = "current"

// nodeRegistry is how nodes call their cluster's registry.
const nodeRegistry = "localhost:5000"

// site is a cluster, which one scenario at a time has for itself.
type site struct {
	name string
	*lab.Cluster

	scenario sync.Mutex
	// empty is what there was before anything was installed; nil before the
	// cluster was started.
	empty []string
	// kubeconfig is for programs other than the cluster's own.
	kubeconfig string
}

// pushing lets one make push at a time: they share dist/ and buildah's storage.
var pushing sync.Mutex

// up starts the cluster when the first scenario needs it.
func (s *site) up(ctx context.Context) (err error) {
	if s.empty != nil {
		return nil
	}
	began := time.Now()
	if s.Cluster, err = lab.New(s.name, io.Discard); err != nil {
		return err
	}
	if !keeps() {
		if err := s.Down(ctx); err != nil { // of a run that was interrupted
			return err
		}
	}
	if err := s.Up(ctx, 2, backendNode+"=tier=backend"); err != nil {
		return err
	}
	if s.kubeconfig, err = s.Run(ctx, "path", "kubeconfig"); err != nil {
		return err
	}
	if err := s.push(ctx); err != nil {
		return err
	}
	if s.empty, err = s.Objects(ctx); err == nil {
		fmt.Printf("--- cluster %s up, images pushed (%.1fs)\n", s.name, time.Since(began).Seconds())
	}
	return err
}

func (s *site) down(ctx context.Context) error {
	if s.Cluster == nil {
		return nil
	}
	return s.Down(ctx)
}

// push makes the registry hold what the scenarios install and cache.
func (s *site) push(ctx context.Context) error {
	for _, image := range tutorialImages {
		if _, err := s.PushImage(ctx, image, "5MB"); err != nil {
			return err
		}
	}
	return s.pushRelease(ctx, s.Root, currentTag)
}

// pushRelease builds and pushes the images of a checkout. Its variables are for
// its version: they are in the images of the previous release as in any.
func (s *site) pushRelease(ctx context.Context, root, tag string, variables ...string) error {
	if s.Registry.Has(ctx, "kubefledged-operator", tag) {
		return nil
	}
	pushing.Lock()
	defer pushing.Unlock()
	_, err := s.make(ctx, root, append([]string{"push", "REGISTRY=" + s.Registry.Address, "TAG=" + tag}, variables...)...)
	return err
}

// make runs a target of a checkout on the cluster, as users do. The variables
// of a make that runs us are not for this one.
func (s *site) make(ctx context.Context, root string, args ...string) (string, error) {
	program, err := filepath.Abs(os.Getenv("LOCALCLUSTER"))
	if err != nil || os.Getenv("LOCALCLUSTER") == "" {
		program = filepath.Join(s.Root, "bin", "localcluster")
	}
	args = append([]string{"-C", root, "KUBECTL=" + program + " kubectl --name " + s.name}, args...)
	command := exec.CommandContext(ctx, "make", args...)
	command.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "MAKE") || strings.HasPrefix(variable, "MFLAGS=")
	})
	command.Env = append(command.Env, "KUBECONFIG="+s.kubeconfig)
	output, err := command.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("make %s: %w\n%s", strings.Join(args, " "), err, output)
	}
	return string(output), err
}
