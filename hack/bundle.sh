#!/usr/bin/env bash
# Write a bundle for OLM: bundle.sh DIR VERSION IMAGES, from the root.
#
# IMAGES is a file with the images by digest: OPERATOR_IMG=..., CONTROLLER_IMG=...,
# CRI_CLIENT_IMG=..., and CREATED_AT=... , the time that the bundle is dated to: the
# time of the call would make it another bundle every time. KUSTOMIZE and
# OPERATOR_SDK are the commands. What was in DIR is replaced.
set -euo pipefail
dir=$1 version=$2 images=$3
CREATED_AT=1970-01-01T00:00:00Z
# shellcheck source=../config/manifests/images.env
source "$images"

# operator-sdk writes into the current folder and reads PROJECT there.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp PROJECT "$work"

# A version that replaces itself is the first one.
$KUSTOMIZE build config/manifests | sed \
  -e "s|kubefledged-controller:dev|$CONTROLLER_IMG|" \
  -e "s|kubefledged-cri-client:dev|$CRI_CLIENT_IMG|" \
  -e "s|kubefledged-operator:dev|$OPERATOR_IMG|" \
  -e "s|base64data: ICON|base64data: $(base64 -w0 config/manifests/icon.svg)|" \
  -e "/^  replaces: kubefledged-operator\.v${version//./\\.}\$/d" >"$work/manifests.yaml"
(
  cd "$work"
  # It takes a pipe, not a file.
  cat manifests.yaml | $OPERATOR_SDK generate bundle --quiet --overwrite --package kubefledged-operator --version "$version" \
    --channels candidate,stable --default-channel stable 2>log || { cat log >&2; exit 1; }
)

# operator-sdk knows the images of the environment, not that of the operator.
sed -i \
  -e "s|^    createdAt: .*|    createdAt: \"$CREATED_AT\"|" \
  -e "s|^  relatedImages:\$|&\n  - image: $OPERATOR_IMG\n    name: kubefledged-operator|" \
  "$work/bundle/manifests/kubefledged-operator.clusterserviceversion.yaml"

mkdir -p "$(dirname "$dir")"
rm -rf "$dir"
cp -r "$work/bundle" "$dir"
if [[ $dir == bundle ]]; then cp "$work/bundle.Dockerfile" .; fi
echo "wrote $dir, version $version"
