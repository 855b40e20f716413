package release

import (
	"encoding/json"
	"fmt"

	"github.com/distribution/reference"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
)

// Images are the operand's images that the operator was released with, empty
// for the chart's own. Each is a reference with a tag or a digest.
type Images struct {
	// Controller has the webhook server, too.
	Controller string
	CRIClient  string
}

// Values returns the chart's values for a spec: what the user has set, and for
// an image that is not set the one of the operator's release.
func Values(spec *v1alpha2.KubeFledgedSpec, images Images) (map[string]any, error) {
	spec = spec.DeepCopy()
	if spec.Image == nil {
		spec.Image = &v1alpha2.ImageSpec{}
	}
	image := spec.Image
	err := override(images.Controller, image.Tag, &image.KubefledgedControllerRepository, &image.KubefledgedControllerTag, &image.KubefledgedControllerDigest)
	if err != nil {
		return nil, err
	}
	err = override(images.CRIClient, image.Tag, &image.KubefledgedCRIClientRepository, &image.KubefledgedCRIClientTag, &image.KubefledgedCRIClientDigest)
	if err != nil {
		return nil, err
	}
	values := map[string]any{}
	content, err := json.Marshal(spec)
	if err == nil {
		err = json.Unmarshal(content, &values)
	}
	return values, err
}

// override sets an image that the user has not set. A tag that the user has set
// for all images is kept.
func override(related string, common v1alpha2.Tag, repository *v1alpha2.Repository, tag *v1alpha2.Tag, digest *v1alpha2.Digest) error {
	if related == "" || *repository != "" || *tag != "" || *digest != "" {
		return nil
	}
	named, err := reference.ParseNormalizedNamed(related)
	if err != nil {
		return fmt.Errorf("the operator's image %q: %w", related, err)
	}
	*repository = v1alpha2.Repository(named.Name())
	if common != "" {
		return nil
	}
	if tagged, ok := named.(reference.Tagged); ok {
		*tag = v1alpha2.Tag(tagged.Tag())
	}
	if digested, ok := named.(reference.Digested); ok {
		*digest = v1alpha2.Digest(digested.Digest().String())
	}
	return nil
}
