#!/bin/sh
# Builds the component of an example: build.sh OUTPUT NAME, for example build.sh donchian.wasm donchian
# Needs the packages of package.json beside this file (run npm ci).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
output=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
source=$here/$2.js
if [ ! -e "$source" ]; then source=$here/$2.ts; fi
node "$here/../../sdk/js/bin/ta-bot-sdk.js" build "$source" --output "$output"
