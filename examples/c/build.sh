#!/bin/sh
# Makes a component of momentum.c: build.sh OUTPUT
# Needs a virtual environment with ../requirements.txt installed (Zig is the C compiler), which VENV names, and the
# Rust toolchain, whose component linker turns the module into a component.
#
# --wasi-adapter none refuses a program that reaches for files, the clock or stdio: the host would refuse it later.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
VENV=$(cd "${VENV:-$here/../../target/venv}" && pwd)
sdk=$here/../../sdk/c
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export VENV

for source in "$here/momentum.c" "$sdk/strategy_module.c"; do
    # No contraction into fused operations: every language must round at the same places.
    "$VENV/bin/python" -m ziglang cc -target wasm32-wasi -O2 -ffp-contract=off -Wall -Wextra -I "$sdk" \
        -c "$source" -o "$work/$(basename "$source" .c).o"
done
linker=$(rustc --print sysroot)/lib/rustlib/$(rustc --print host-tuple)/bin/wasm-component-ld
"$linker" --wasi-adapter none --wasm-ld-path "$sdk/wasm-ld" -o "$1" \
    "$work/momentum.o" "$work/strategy_module.o" "$sdk/strategy_module_component_type.o"
