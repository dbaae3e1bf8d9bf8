#!/bin/sh
# Builds the component of an example: build.sh OUTPUT NAME, for example build.sh donchian.wasm donchian
# Needs a virtual environment with ../requirements.txt installed, whose path is in VENV, and the packages of
# ../../sdk/go/tools (run npm ci there). Nothing is fetched: the SDK is the one of this repository.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=$(cd "${VENV:-$here/../../target/venv}" && pwd)
tools=$here/../../sdk/go/tools/node_modules
output=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
export GO="$venv/bin/go" WASM_TOOLS="$venv/bin/wasm-tools" WASM_MERGE="$tools/.bin/wasm-merge" WIZER="$tools/.bin/wizer"
export GOPROXY=off GOTOOLCHAIN=local GOFLAGS=-mod=mod CGO_ENABLED=0
case $2 in
    /*) folder=$2 ;;
    *) folder=$here/$2 ;;
esac
cd "$here"
"$GO" run ta-bot.internal/tabot/cmd/tabot-build -o "$output" "$folder"
