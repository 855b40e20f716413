#!/usr/bin/env bash
# Check that the tree is what `make GENERATORS...` would write, that the bundle is
# valid, every module tidy and lint content; end with a list of everything that is not.
#
# Files are compared with what they were before the generators ran, not with the
# last commit: in a clean clone that is the same, and it also serves who has not
# committed yet.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

generators=("$@")
failures=()

fail() { failures+=("$1"); }

# files lists what git tracks or would track, separated by NUL.
files() { git ls-files -z --cached --others --exclude-standard -- "$@" | sort -zu; }

# fingerprint prints a hash and a name for each file.
fingerprint() {
  files | while IFS= read -r -d '' file; do
    if [[ -f $file ]]; then sha256sum -- "$file"; fi
  done
}

verify_generated() {
  local before after file
  before=$(fingerprint)
  make "${generators[@]}" || fail "make ${generators[*]}"
  after=$(fingerprint)
  while IFS= read -r file; do
    fail "$file is not what \`make ${generators[*]}\` writes; it is rewritten now, commit it"
    git --no-pager diff -- "$file"
  done < <(diff <(echo "$before") <(echo "$after") | sed -n 's/^[<>] [0-9a-f]*  //p' | sort -u)
}

# verify_modules changes nothing: -diff only prints what tidying would change.
verify_modules() {
  local file
  while IFS= read -r -d '' file; do
    go mod tidy -C "$(dirname "$file")" -diff || fail "$file is not tidy: go mod tidy -C $(dirname "$file")"
  done < <(files go.mod '*/go.mod')
}

echo "=== verify: generated files"
verify_generated
echo "=== verify: bundle"
make bundle-validate || fail "the bundle is not valid: make bundle-validate"
echo "=== verify: modules"
verify_modules
echo "=== verify: formatting"
make fmt-check || fail "formatting: make fmt"
echo "=== verify: lint"
make lint || fail "lint: make lint"

if ((${#failures[@]})); then
  printf '\nverify: %d problems\n' "${#failures[@]}" >&2
  printf '  - %s\n' "${failures[@]}" >&2
  exit 1
fi
echo "verify: everything is up to date"
