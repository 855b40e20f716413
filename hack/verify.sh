#!/usr/bin/env bash
# Check that the tree is what `make GENERATORS...` would write, that every module
# is tidy and that lint is content; list everything that is not.
#
# Files are compared with what they were before the generators ran, not with the
# last commit: in a clean clone that is the same, and it also serves who has not
# committed yet.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

generators=("$@")
failures=()

check() {
  local name=$1
  shift
  echo "=== verify: $name"
  "$@" || failures+=("$name")
}

# fingerprint prints a hash and a name for each file that git tracks or would.
fingerprint() {
  git ls-files -z --cached --others --exclude-standard | sort -zu |
    while IFS= read -r -d '' file; do
      if [[ -f $file ]]; then sha256sum -- "$file"; fi
    done
}

generated_files() {
  local before after changed file
  before=$(fingerprint)
  make "${generators[@]}" || return 1
  after=$(fingerprint)
  changed=$(diff <(echo "$before") <(echo "$after") | sed -n 's/^[<>] [0-9a-f]*  //p' | sort -u)
  [[ -z $changed ]] && return
  echo "These files are not what the generators write; they are rewritten now:"
  while IFS= read -r file; do
    echo "  $file"
    git --no-pager diff -- "$file"
  done <<<"$changed"
  return 1
}

# tidy_modules changes nothing: -diff only prints what tidying would change.
tidy_modules() {
  local file status=0
  while IFS= read -r file; do
    go mod tidy -C "$(dirname "$file")" -diff || { echo "  $file is not tidy"; status=1; }
  done < <(git ls-files --cached --others --exclude-standard -- 'go.mod' '*/go.mod')
  return $status
}

check "generated files" generated_files
check "go.mod files" tidy_modules
check "formatting" make fmt-check
check "lint" make lint

if ((${#failures[@]})); then
  printf 'verify: FAILED: %s\n' "${failures[@]}" >&2
  exit 1
fi
echo "verify: everything is up to date"
