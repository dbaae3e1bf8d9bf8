#!/bin/sh
# Builds the component of a strategy: build.sh OUTPUT SOURCE... (files in C, or in C++ if they end in .cpp) Needs Zig,
# as the Python package ziglang in the virtual environment whose path is in VENV, and the Rust toolchain, whose
# component linker makes a component of the module.
#
# --wasi-adapter none refuses a program that uses files, the clock or stdio, which the host would refuse later.
set -eu
sdk=$(cd "$(dirname "$0")" && pwd)
VENV=$(cd "${VENV:?say where the virtual environment with ziglang is}" && pwd)
export VENV
output=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

number=0
for source in "$@" "$sdk/src/ta_bot.c" "$sdk/src/text.c" "$sdk/src/parameters.c" "$sdk/src/indicators.c" \
    "$sdk/src/evaluation.c" "$sdk/src/component.c" "$sdk/bindings/strategy_module.c"; do
    number=$((number + 1))
    case $source in
        *.cpp) language="c++ -std=c++20 -fno-exceptions -fno-rtti" ;;
        *) language="cc -std=c11" ;;
    esac
    # Nothing is contracted into fused operations, since every language must round at the same places.
    # shellcheck disable=SC2086 # The options of a language are several.
    "$VENV/bin/python" -m ziglang $language -target wasm32-wasi -O2 -ffp-contract=off -Wall -Wextra \
        -I "$sdk/include" -I "$sdk/bindings" -c "$source" -o "$work/$number.o"
done
linker=$(rustc --print sysroot)/lib/rustlib/$(rustc --print host-tuple)/bin/wasm-component-ld
"$linker" --wasi-adapter none --wasm-ld-path "$sdk/wasm-ld" -o "$output" "$work"/*.o \
    "$sdk/bindings/strategy_module_component_type.o"
