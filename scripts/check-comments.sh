#!/bin/sh
# Comments are at most 120 characters wide: rustfmt wraps code and leaves comments alone. Rows of tables may be
# wider.
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8
if git ls-files -z '*.rs' '*.sh' '*.py' '*.js' '*.c' '*.h' '*.toml' '*.yaml' Makefile Dockerfile |
    xargs -0 grep -HnE '^.{121,}$' | grep -E '^[^:]*:[0-9]+: *(//|#|\*)' | grep -vE ':[0-9]+: *(//[/!] \||#\[|#!\[)' | cut -d: -f1,2 |
    grep -v '^wit/'; then
    echo "these comments are wider than 120 characters: wrap them" >&2
    exit 1
fi
