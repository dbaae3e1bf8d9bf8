#!/bin/sh
# Builds a component from momentum.c: build.sh OUTPUT Needs a virtual environment with examples/requirements.txt
# installed (Zig is the C compiler), whose path is in VENV, and the Rust toolchain, whose component linker turns the
# module into a component.
#
# --wasi-adapter none refuses a program that uses files, the clock or stdio, which the host would refuse later.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
VENV=$(cd "${VENV:-$here/../../../target/venv}" && pwd)
sdk=$here/../../../sdk/c
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export VENV

for source in "$here/momentum.c" "$sdk/bindings/strategy_module.c"; do
    # Nothing is contracted into fused operations, since every language must round at the same places.
    "$VENV/bin/python" -m ziglang cc -target wasm32-wasi -O2 -ffp-contract=off -Wall -Wextra -I "$sdk/bindings" \
        -c "$source" -o "$work/$(basename "$source" .c).o"
done
linker=$(rustc --print sysroot)/lib/rustlib/$(rustc --print host-tuple)/bin/wasm-component-ld
"$linker" --wasi-adapter none --wasm-ld-path "$sdk/wasm-ld" -o "$1" \
    "$work/momentum.o" "$work/strategy_module.o" "$sdk/bindings/strategy_module_component_type.o"
