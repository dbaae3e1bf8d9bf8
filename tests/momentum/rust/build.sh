#!/bin/sh
# Builds a component from src/lib.rs: build.sh OUTPUT
# Needs the Rust toolchain with the target wasm32-unknown-unknown; .cargo/config.toml names the component linker.
set -eu
output=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$(dirname "$0")"
cargo build --quiet --profile guest --target wasm32-unknown-unknown
cp "${CARGO_TARGET_DIR:-../../../target}/wasm32-unknown-unknown/guest/momentum.wasm" "$output"
