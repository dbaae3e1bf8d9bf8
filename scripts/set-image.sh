#!/bin/sh
# Lets the overlay of production run an image: set-image.sh LOCATION DIGEST, such as
#   set-image.sh registry.example.com/petrosa/petrosa-ta-bot sha256:…
# The workflow of releases calls it; who does it by hand may use `kustomize edit set image` as well.
set -eu
cd "$(dirname "$0")/.."
[ $# = 2 ] || { echo "usage: set-image.sh LOCATION DIGEST" >&2; exit 2; }
case $2 in
    sha256:????????????????????????????????????????????????????????????????) ;;
    *) echo "$2 is no digest: give sha256: and 64 hex digits" >&2; exit 2 ;;
esac
file=k8s/overlays/production/kustomization.yaml
new=$(mktemp)
trap 'rm -f "$new"' EXIT
# The image is the last entry of the file.
sed '/^  - name: petrosa-ta-bot$/,$d' "$file" >"$new"
grep -q '^images:$' "$new" || { echo "$file has no images" >&2; exit 1; }
printf '  - name: petrosa-ta-bot\n    newName: %s\n    digest: %s\n' "$1" "$2" >>"$new"
cat "$new" >"$file"
