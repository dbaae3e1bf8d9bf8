#!/bin/sh
# Writes the present digests of the base images into the Dockerfile: pin-base-images.sh. It asks their registry, by
# `docker buildx imagetools`, and changes nothing if one of them does not answer.
set -eu
cd "$(dirname "$0")/.."
new=$(mktemp)
trap 'rm -f "$new"' EXIT
cp Dockerfile "$new"
for name in RUST_IMAGE RUNTIME_IMAGE; do
    image=$(sed -n "s/^ARG $name=\([^@]*\).*/\1/p" Dockerfile)
    [ -n "$image" ] || { echo "the Dockerfile has no ARG $name" >&2; exit 1; }
    digest=$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$image")
    case $digest in
        sha256:????????????????????????????????????????????????????????????????) ;;
        *) echo "$image: $digest is no digest" >&2; exit 1 ;;
    esac
    sed -i "s#^ARG $name=.*#ARG $name=$image@$digest#" "$new"
done
cat "$new" >Dockerfile
