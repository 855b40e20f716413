#!/usr/bin/env bash
# Write what is submitted to OperatorHub: operatorhub.sh VERSION PREVIOUS. Only the
# folder of VERSION is written; what was released before stays as it was.
set -euo pipefail
version=$1 previous=$2 package=kubefledged-operator
dir=$RELEASED/$version

rm -rf "$dir"
mkdir -p "$dir" "$RELEASED/catalog-templates" "$RELEASED/../catalogs/latest/$package"
cp -r bundle/. "$dir"
cat >"$dir/release-config.yaml" <<EOF
# Adds the bundle to the catalog when it has been merged.
merge: true
catalog_templates:
- template_name: basic.yaml
  channels: [candidate, stable]
  replaces: $package.v$previous
EOF
cp catalog/template.yaml "$RELEASED/catalog-templates/basic.yaml"
cp "catalog/configs/$package/catalog.yaml" "$RELEASED/../catalogs/latest/$package/catalog.yaml"
echo "wrote $dir"
