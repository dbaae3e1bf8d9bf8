#!/bin/sh
# Builds a strategy that makes the mistake which its parameter names: build.sh OUTPUT LANGUAGE
# It needs what the examples of that language need.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
VENV=$(cd "${VENV:-$root/target/venv}" && pwd)
export VENV
output=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
case $2 in
    c) sh "$root/sdk/c/build.sh" "$output" "$here/c/mistakes.c" ;;
    go) sh "$root/examples/go/build.sh" "$output" "$here/go" ;;
    js) cd "$root/examples/js" && node "$root/sdk/js/bin/ta-bot-sdk.js" build "$here/js/mistakes.ts" --output "$output" ;;
    python) PYTHONPATH=$root/sdk/python/src "$VENV/bin/python" -m ta_bot_sdk.build build "$here/python/mistakes.py" --output "$output" ;;
esac
