#!/bin/sh
# Fuzzes the loading of modules with libFuzzer, for SECONDS in each of two ways: with bytes made from real components,
# and with components that wasm-smith generates. Findings are left in target/fuzz/found. Usage: fuzz.sh TARGET SECONDS
#
# cargo-fuzz is made for nightly Rust, whose sanitizers it uses. Without them it works with the project's own
# toolchain. The unsafe code here is wasmtime's, and wasmtime fuzzes it with sanitizers.
set -eu
target=$1
seconds=$2
command -v c++ >/dev/null || { echo "make fuzz needs a C++ compiler for libFuzzer: install g++" >&2; exit 1; }
[ -x "$target/tools/bin/cargo-fuzz" ] || cargo install --quiet --locked --root "$target/tools" cargo-fuzz@0.13.2
PATH="$(pwd)/$target/tools/bin:$PATH"
# Link-time optimization would take longer than the fuzzing, and a stack trace without names says little.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_STRIP=false

seeds="$target/fuzz/seeds"
mkdir -p "$seeds" "$target/fuzz/found"
# The seeds are the small components among those that are built: a mutation of 10 MB says no more than one of 60 kB.
for folder in "$target/strategies" "$target/components"; do
    if [ -d "$folder" ]; then
        find "$folder" -name '*.wasm' -size -100k -exec cp {} "$seeds" \;
    fi
done
[ -n "$(ls "$seeds")" ] || { echo "there is no component below 100 kB in $target/strategies: run make strategies" >&2; exit 1; }
cargo fuzz build --fuzz-dir tests/fuzz --features libfuzzer --sanitizer none --target-dir "$target/fuzz"
built="$target/fuzz/$(rustc --print host-tuple)/release"
failed=0
for way in upload generated; do
    corpus="$target/fuzz/corpus/$way"
    mkdir -p "$corpus"
    echo "fuzzing: $way, for $seconds s"
    "$built/$way" "$corpus" "$seeds" -max_total_time="$seconds" -max_len=131072 -timeout=330 -rss_limit_mb=4096 \
        -artifact_prefix="$target/fuzz/found/" -verbosity=0 -print_final_stats=1 || failed=1
done
exit $failed
