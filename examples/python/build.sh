#!/bin/sh
# Makes a component of momentum.py: build.sh OUTPUT
# Needs a virtual environment with ../requirements.txt installed; VENV names it.
#
# --stub-wasi leaves no WASI import, which the host would refuse.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${VENV:-$here/../../target/venv}
"$venv/bin/componentize-py" --quiet --wit-path "$here/../../wit/1.0.0" --world strategy-module \
    componentize --python-path "$here" --stub-wasi --output "$1" momentum
