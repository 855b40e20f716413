//go:build e2e

package olm

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// catalogAddress is where a catalog is served inside the control plane's
// network, which OLM's pods reach.
const catalogAddress = "198.18.0.1:50051"

// catalogServer is a catalog that a process of this machine serves.
type catalogServer struct {
	w       *world
	process *exec.Cmd
	// dir has the log and the cache of the process.
	dir string
	// ended is closed when the process is gone.
	ended chan struct{}
}

// serve begins to serve the catalog of that version.
func (w *world) serve(version string) *catalogServer {
	w.Helper()
	s := &catalogServer{w: w}
	s.start(version)
	w.Cleanup(s.stop)
	return s
}

// publish replaces the catalog by that of the version.
func (s *catalogServer) publish(version string) {
	s.w.Helper()
	s.stop()
	s.start(version)
}

func (s *catalogServer) start(version string) {
	s.w.Helper()
	opm, err := exec.CommandContext(s.w.ctx, localcluster(), "program", "opm").Output()
	s.w.check(err)
	s.dir, err = os.MkdirTemp(work, "opm-")
	s.w.check(err)
	// The command enters the network and becomes opm: it is one process.
	s.process = exec.Command(localcluster(), "exec", "--name="+cluster.Name, "--",
		strings.TrimSpace(string(opm)), "serve", filepath.Join(catalogDir(version), "configs"), "--port=50051",
		"--cache-dir="+filepath.Join(s.dir, "cache"), "--cache-enforce-integrity=false",
		"--pprof-addr=127.0.0.1:0", "--termination-log="+filepath.Join(s.dir, "termination.log"))
	log, err := os.Create(filepath.Join(s.dir, "log"))
	s.w.check(err)
	defer log.Close()
	s.process.Stdout, s.process.Stderr = log, log
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.w.check(s.keep())
	s.w.poll("opm serves the catalog", time.Minute, func(context.Context) (bool, string) {
		return strings.Contains(s.log(), "serving registry"), s.log()
	})
}

// keep starts the process, which must not outlive this one. It would die with
// the thread that has started it: that one is kept.
func (s *catalogServer) keep() error {
	s.ended = make(chan struct{})
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		started <- s.process.Start()
		_ = s.process.Wait() // it is killed
		close(s.ended)
	}()
	return <-started
}

func (s *catalogServer) log() string {
	content, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(content)
}

func (s *catalogServer) stop() {
	_ = s.process.Process.Kill()
	<-s.ended
	if s.w.Failed() {
		s.w.Logf("opm serve:\n%s", s.log())
	}
}

// catalogByAddress makes the CatalogSource of the server and waits for it.
func (w *world) catalogByAddress() {
	w.Helper()
	w.apply(`
apiVersion: operators.coreos.com/v1alpha1
kind: CatalogSource
metadata: {name: kubefledged, namespace: olm}
spec: {sourceType: grpc, address: "` + catalogAddress + `", displayName: KubeFledged}
`)
	w.catalogReady()
}

// catalogByImage makes the CatalogSource of an image that has no program: OLM
// takes the catalog out of it and serves it with its own opm.
func (w *world) catalogByImage(image string) {
	w.Helper()
	w.apply(fmt.Sprintf(`
apiVersion: operators.coreos.com/v1alpha1
kind: CatalogSource
metadata: {name: kubefledged, namespace: olm}
spec:
  sourceType: grpc
  image: %s
  displayName: KubeFledged
  grpcPodConfig: {securityContextConfig: restricted, extractContent: {catalogDir: /configs}}
`, image))
	w.catalogReady()
}

func (w *world) catalogReady() {
	w.Helper()
	w.step("CatalogSource READY", func() {
		w.awaitField(readyLimit, "READY", "operators.coreos.com/v1alpha1", "CatalogSource", "olm", "kubefledged",
			"status", "connectionState", "lastObservedState")
	})
}
