#!/bin/sh
# Packs the SDK for authors: pack.sh OUTPUT, for example pack.sh ta-bot-sdk-c-0.1.0.tar.gz
set -eu
version=0.1.0
output=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$(dirname "$0")"
tar -czf "$output" --transform "s#^#ta-bot-sdk-c-$version/#" README.md build.sh bindings include src test
