package lab

import (
	"context"
	"slices"
)

// Image is one image as the runtime lists it.
type Image struct {
	ID    string
	Names []string
	Size  uint64
}

// Images lists the images of the node.
func (r *Runtime) Images(ctx context.Context) ([]Image, error) {
	answer, err := r.call(ctx, "ListImages", nil)
	if err != nil {
		return nil, err
	}
	fields, err := parse(answer)
	if err != nil {
		return nil, err
	}
	var images []Image
	for _, f := range fields {
		image, err := parseImage(f.content)
		if err != nil {
			return nil, err
		}
		images = append(images, image)
	}
	return images, nil
}

func parseImage(message []byte) (image Image, err error) {
	fields, err := parse(message)
	for _, f := range fields {
		switch f.id {
		case 1:
			image.ID = string(f.content)
		case 2, 3: // repo_tags, repo_digests
			image.Names = append(image.Names, string(f.content))
		case 4:
			image.Size = f.number
		}
	}
	return image, err
}

// Missing returns those of the references that the node does not hold.
func (r *Runtime) Missing(ctx context.Context, references ...string) ([]string, error) {
	images, err := r.Images(ctx)
	if err != nil {
		return references, err
	}
	var missing []string
	for _, reference := range references {
		if !slices.ContainsFunc(images, func(i Image) bool { return slices.Contains(i.Names, reference) }) {
			missing = append(missing, reference)
		}
	}
	return missing, nil
}

// Pull pulls an image and returns when it is unpacked.
func (r *Runtime) Pull(ctx context.Context, reference string) error {
	_, err := r.call(ctx, "PullImage", imageRequest(reference))
	return err
}

// Remove removes an image, with all its names; one that is absent is no error.
func (r *Runtime) Remove(ctx context.Context, reference string) error {
	_, err := r.call(ctx, "RemoveImage", imageRequest(reference))
	return err
}

// imageRequest is a request whose first field is an ImageSpec.
func imageRequest(reference string) []byte {
	return appendField(nil, 1, appendField(nil, 1, []byte(reference)))
}
