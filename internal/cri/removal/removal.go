// Package removal removes images from a node through the Container Runtime
// Interface, unless somebody needs them.
//
// RemoveImage of the CRI is blunt. It resolves a name to an image ID and deletes
// every name of that ID, whether a container runs from it or not, and pinned or
// not (containerd, internal/cri/server/images/image_remove.go; seen on 2.4.2).
// So this package looks first: at the image, its other names, and whoever uses
// it. What it finds is judged by decide, which is pure.
//
// Not seen are pods whose containers are made in the milliseconds after the last
// look, and those that have this image and still wait for another one. Their
// kubelet finds the image missing, and pulls it again unless told never to.
package removal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kubefledged/kubefledged-operator/internal/cri"
	"github.com/kubefledged/kubefledged-operator/internal/reference"
)

// Request is what to remove, and what not to touch.
type Request struct {
	// Socket is the path of the runtime's socket.
	Socket string
	// Timeout bounds the whole.
	Timeout time.Duration
	// Keep are the names of images that are wanted on the node.
	Keep []string
	// OtherNames says that names in neither list do not protect an image.
	OtherNames bool
	// Images are the names of the images to remove.
	Images []string
}

// Run does what is asked, as far as it may be done, and reports about every
// image in the order of the request. It can be repeated at any time.
func Run(ctx context.Context, request Request) cri.Report {
	ctx, cancel := context.WithTimeoutCause(ctx, request.Timeout,
		fmt.Errorf("the time limit of %s is over", request.Timeout))
	defer cancel()
	runtime, err := connect(ctx, request.Socket)
	if err != nil {
		return failAll(request.Images, err)
	}
	defer runtime.close()
	r := &remover{
		runtime: runtime,
		survey:  newSurvey(runtime),
		intent:  newIntent(request.Images, request.Keep, request.OtherNames),
		ids:     map[string]string{},
		done:    map[string]verdict{},
	}
	for _, name := range request.Images {
		r.resolve(ctx, name)
	}
	var report cri.Report
	for _, name := range request.Images {
		v := r.handle(ctx, name)
		report.Images = append(report.Images, cri.ImageResult{Image: name, Result: v.result, Message: v.message})
	}
	return report
}

func failAll(names []string, err error) (report cri.Report) {
	for _, name := range names {
		report.Images = append(report.Images, cri.ImageResult{Image: name, Result: cri.Failed, Message: err.Error()})
	}
	return report
}

// remover handles the images of one request.
type remover struct {
	runtime *runtime
	survey  *survey
	intent  intent
	// ids has the images that the request's names stand for.
	ids map[string]string
	// done has what became of a name or an ID: an image is handled once,
	// whichever of its names come up.
	done map[string]verdict
}

// resolve finds out which image a name stands for. It is done for all names
// before anything is removed, since a removal takes other names along.
func (r *remover) resolve(ctx context.Context, name string) {
	ref, _, err := reference.Normalise(name)
	if err != nil {
		r.done[name] = verdict{cri.Failed, err.Error()}
		return
	}
	img, err := r.runtime.status(ctx, ref)
	switch {
	case err != nil:
		r.done[name] = failed(ctx, err)
	case img == nil:
		r.done[name] = verdict{result: cri.Absent}
	case !img.has(ref):
		// Runtimes take abbreviated IDs and aliases for names, too.
		r.done[name] = verdict{cri.Failed, fmt.Sprintf("the runtime takes %s for %s, which has the names %q", ref, img.id, img.names)}
	default:
		r.ids[name] = img.id
	}
}

// handle removes the image of a name, unless a reason speaks against it.
func (r *remover) handle(ctx context.Context, name string) verdict {
	if v, known := r.done[name]; known {
		return v
	}
	id := r.ids[name]
	if _, known := r.done[id]; !known {
		r.done[id] = r.handleID(ctx, id)
	}
	return r.done[id]
}

func (r *remover) handleID(ctx context.Context, id string) verdict {
	uses, err := r.survey.uses(ctx)
	if err != nil {
		return failed(ctx, err)
	}
	img, err := r.runtime.status(ctx, id) // the last look, at names that came meanwhile
	if err != nil {
		return failed(ctx, err)
	}
	if img == nil {
		return verdict{result: cri.Absent}
	}
	v := decide(*img, r.intent, uses)
	if v.result != cri.Removed {
		return v
	}
	return r.remove(ctx, id)
}

// remove removes and makes sure. That the image is gone counts, also after an
// error: the answer may have come too late.
func (r *remover) remove(ctx context.Context, id string) verdict {
	removeErr := r.runtime.remove(ctx, id)
	left, err := r.runtime.status(ctx, id)
	switch {
	case err == nil && left == nil:
		return verdict{result: cri.Removed}
	case removeErr != nil:
		return failed(ctx, fmt.Errorf("remove the image: %w", removeErr))
	case err != nil:
		return failed(ctx, fmt.Errorf("look whether the image is gone: %w", err))
	}
	return verdict{cri.Failed, "the runtime says that it removed the image, but still has it as " + strings.Join(left.names, ", ")}
}

// clocks is how far the runtime's clock may be ahead of ours. Every call
// carries our deadline, so that it may tell us that the time is over first.
const clocks = 100 * time.Millisecond

// failed reports an error, with the cause if it is that the time was over.
func failed(ctx context.Context, err error) verdict {
	if status.Code(err) == codes.DeadlineExceeded {
		select {
		case <-ctx.Done():
		case <-time.After(clocks):
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		err = errors.Join(cause, err)
	}
	return verdict{cri.Failed, strings.ReplaceAll(err.Error(), "\n", ": ")}
}
