#!/bin/sh
# Adds a compilation target to the Rust toolchain, unless it is already installed: need-target.sh TARGET
set -eu
if [ -d "$(rustc --print sysroot)/lib/rustlib/$1/lib" ]; then
    exit 0
fi
echo "adding the Rust target $1" >&2
rustup target add "$1" 2>&1 | grep -i error >&2 || true
[ -d "$(rustc --print sysroot)/lib/rustlib/$1/lib" ] || {
    echo "the Rust target $1 can't be added; try: rustup target add $1" >&2
    exit 1
}
