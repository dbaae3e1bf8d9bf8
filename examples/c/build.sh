#!/bin/sh
# Builds the component of an example: build.sh OUTPUT NAME, for example build.sh donchian.wasm donchian
# Needs a virtual environment with ../requirements.txt installed (Zig is the C compiler), whose path is in VENV, and the
# Rust toolchain, whose component linker makes a component of the module.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
source=$here/$2.c
if [ ! -e "$source" ]; then source=$here/$2.cpp; fi
VENV=${VENV:-$here/../../target/venv} sh "$here/../../sdk/c/build.sh" "$1" "$source"
