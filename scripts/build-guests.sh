#!/bin/sh
# Builds the guests that the tests load: build-guests.sh FOLDER The guests are one strategy without an SDK in four
# languages, the examples of every SDK and what shows its mistakes, a guest for each way to misbehave, one that asks
# WASI for the time, two versions of one strategy, and a component for each fault that admission must detect. A
# component that is newer than its sources is kept.
set -eu
cd "$(dirname "$0")/.."
mkdir -p "$1"
out=$(cd "$1" && pwd)
target=${CARGO_TARGET_DIR:-target}

# is_old COMPONENT SOURCE...: whether the component has to be built
is_old() {
    component=$1
    shift
    [ ! -e "$component" ] || [ -n "$(find "$@" -newer "$component" -type f ! -path '*/node_modules/*' ! -path '*/__pycache__/*' | head -n 1)" ]
}

for language in c js python; do
    component=$out/momentum_$language.wasm
    sources="tests/momentum/$language wit"
    if [ "$language" = c ]; then sources="$sources sdk/c/bindings"; fi
    # shellcheck disable=SC2086
    if is_old "$component" $sources; then sh "tests/momentum/$language/build.sh" "$component"; fi
done
sh tests/momentum/rust/build.sh "$out/momentum_rust.wasm"
for language in c go js python; do
    for strategy in donchian rsi; do
        component=$out/${strategy}_$language.wasm
        if is_old "$component" "examples/$language" "sdk/$language"; then
            sh "examples/$language/build.sh" "$component" "$strategy"
        fi
    done
    component=$out/mistakes_$language.wasm
    if is_old "$component" "tests/mistakes/$language" "sdk/$language"; then
        sh "tests/mistakes/build.sh" "$component" "$language"
    fi
done
cargo build --quiet --profile guest --target wasm32-unknown-unknown -p ta-bot-example-donchian -p ta-bot-example-rsi
for strategy in donchian rsi; do
    cp "$target/wasm32-unknown-unknown/guest/example_$strategy.wasm" "$out/${strategy}_rust.wasm"
done
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
