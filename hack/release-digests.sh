#!/usr/bin/env bash
# Build the images of a release from the current commit and write their digests,
# which bundles name: release-digests.sh VERSION FILE.
#
# The file is committed after the commit that it is of. Whoever checks that commit
# out and runs this gets the same digests, with the Go version of go.mod's toolchain.
set -euo pipefail
version=v$1 file=$2
if [[ -n $(git status --porcelain -- . ":!$file") ]]; then
  echo "release-digests: commit first: the digests are of a commit" >&2
  exit 1
fi
commit=$(git rev-parse HEAD)
created=$(TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ)
images=$(make images RELEASE=1 VERSION="$version" TAG="$version" COMMIT="$commit" | tee /dev/stderr)

# digest prints the line of one image.
digest() { grep -E "^[^ ]+/kubefledged-$1@sha256:[a-f0-9]{64}$" <<<"$images"; }

cat >"$file" <<EOF
# The images of the release by digest, for bundles. Written by "make
# release-digests" from the commit below, with $(go env GOVERSION).
VERSION=$version
COMMIT=$commit
CREATED_AT=$created
OPERATOR_IMG=$(digest operator)
CONTROLLER_IMG=$(digest controller)
CRI_CLIENT_IMG=$(digest cri-client)
EOF
cat "$file"
