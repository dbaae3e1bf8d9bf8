#!/bin/sh
# Comments are at most 120 characters wide: rustfmt wraps code and leaves comments alone.
set -eu
cd "$(dirname "$0")/.."
long=$(git ls-files '*.rs' '*.sh' '*.py' '*.js' '*.c' '*.h' '*.toml' '*.yaml' 'Makefile' 'Dockerfile' | grep -v '^wit/' |
    xargs awk 'length($0) > 120 && /^[[:space:]]*(\/\/|#|\*)/ && !/^[[:space:]]*#\[/ && !/https?:/ { print FILENAME ":" FNR }')
[ -z "$long" ] || {
    echo "these comments are wider than 120 characters; wrap them:" >&2
    echo "$long" >&2
    exit 1
}
