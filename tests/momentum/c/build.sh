#!/bin/sh
# Builds a component from momentum.c: build.sh OUTPUT Needs a virtual environment with examples/requirements.txt
# installed (Zig is the C compiler, wasm-tools makes a component of the module), whose path is in VENV.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
VENV=$(cd "${VENV:-$here/../../../target/venv}" && pwd)
sdk=$here/../../../sdk/c
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
zig() { "$VENV/bin/python" -m ziglang cc -target wasm32-wasi -O2 "$@"; }

for source in "$here/momentum.c" "$sdk/bindings/strategy_module.c"; do
    # Nothing is contracted into fused operations, since every language must round at the same places.
    zig -ffp-contract=off -Wall -Wextra -I "$sdk/bindings" -c "$source" -o "$work/$(basename "$source" .c).o"
done
zig -mexec-model=reactor -s -Wl,-z,stack-size=65536 -o "$work/module.wasm" \
    "$work/momentum.o" "$work/strategy_module.o" "$sdk/bindings/strategy_module_component_type.o"
"$VENV/bin/wasm-tools" component new "$work/module.wasm" -o "$1"
