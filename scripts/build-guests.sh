#!/bin/sh
# Builds the guests that the tests load: build-guests.sh FOLDER
# The guests are the same small strategy in four languages, a guest for each way to misbehave, one that asks WASI for
# the time, two versions of one strategy, and a component for each fault that admission must detect.
# A component that is newer than its sources is kept.
set -eu
cd "$(dirname "$0")/.."
mkdir -p "$1"
out=$(cd "$1" && pwd)
target=${CARGO_TARGET_DIR:-target}

for language in c js python; do
    component=$out/momentum_$language.wasm
    sources="examples/$language wit"
    if [ -d "sdk/$language" ]; then sources="$sources sdk/$language"; fi
    # shellcheck disable=SC2086
    if [ ! -e "$component" ] || [ -n "$(find $sources -newer "$component" -type f ! -path '*/node_modules/*' ! -path '*/__pycache__/*' | head -n 1)" ]; then
        sh "examples/$language/build.sh" "$component"
    fi
done
sh examples/rust/build.sh "$out/momentum_rust.wasm"
cargo build --quiet --profile guest --target wasm32-unknown-unknown -p ta-bot-guest-hostile
cp "$target/wasm32-unknown-unknown/guest/hostile.wasm" "$out/hostile.wasm"
cargo build --quiet --profile guest --target wasm32-unknown-unknown -p ta-bot-guest-heavy
cp "$target/wasm32-unknown-unknown/guest/heavy.wasm" "$out/heavy.wasm"
cargo build --quiet --profile guest --target wasm32-unknown-unknown -p ta-bot-guest-versions --examples
for version in v1 v2; do
    cp "$target/wasm32-unknown-unknown/guest/examples/$version.wasm" "$out/versions_$version.wasm"
done
cargo build --quiet --profile guest --target wasm32-wasip2 -p ta-bot-guest-wasi
cp "$target/wasm32-wasip2/guest/wasi_probe.wasm" "$out/wasi_probe.wasm"
cargo build --quiet --profile guest --target wasm32-unknown-unknown -p ta-bot-guest-faulty --examples
for example in tests/guests/faulty/examples/*.rs; do
    name=$(basename "$example" .rs)
    cp "$target/wasm32-unknown-unknown/guest/examples/$name.wasm" "$out/faulty_$name.wasm"
done
cargo build --quiet --profile guest --target wasm32-wasip2 -p ta-bot-guest-faulty --example by_clock
cp "$target/wasm32-wasip2/guest/examples/by_clock.wasm" "$out/faulty_by_clock.wasm"
