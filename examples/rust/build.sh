#!/bin/sh
# Builds the component of an example: build.sh OUTPUT NAME, for example build.sh donchian.wasm donchian
# Needs the Rust toolchain with the target wasm32-unknown-unknown; .cargo/config.toml names the component linker.
set -eu
output=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$(dirname "$0")/$2"
cargo build --quiet --profile guest --target wasm32-unknown-unknown
cp "${CARGO_TARGET_DIR:-../../../target}/wasm32-unknown-unknown/guest/example_$2.wasm" "$output"
