#!/bin/sh
# Builds the version of a commit and runs the upgrade drill from it. Usage: upgrade-drill.sh COMMIT TARGET
set -eu
commit=$1
target=$(cd "$2" && pwd)
[ -n "$commit" ] || { echo "which version? Give a commit, such as make upgrade-drill FROM=HEAD~20" >&2; exit 1; }
source="$target/older/source"
rm -rf "$source"
mkdir -p "$source"
git archive "$commit" | tar -x -C "$source"
cargo build --locked --manifest-path "$source/Cargo.toml" --target-dir "$target/older/target" -p ta-bot
cargo build -p ta-bot
OLDER_TA_BOT="$target/older/target/debug/ta-bot" \
    cargo test -p ta-bot-tests --test replicas upgrade -- --ignored --nocapture
