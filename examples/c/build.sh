#!/bin/sh
# Builds the component of an example: build.sh OUTPUT NAME, for example build.sh donchian.wasm donchian
# Needs a virtual environment with ../requirements.txt installed (Zig is the C compiler, wasm-tools makes a component of
# the module), whose path is in VENV.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
source=$here/$2.c
if [ ! -e "$source" ]; then source=$here/$2.cpp; fi
VENV=${VENV:-$here/../../target/venv} sh "$here/../../sdk/c/build.sh" "$1" "$source"
