#!/bin/sh
# Builds a component from momentum.py: build.sh OUTPUT
# Needs a virtual environment with examples/requirements.txt installed, whose path is in VENV.
#
# --stub-wasi removes the WASI imports, which the host would refuse.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${VENV:-$here/../../../target/venv}
"$venv/bin/componentize-py" --quiet --wit-path "$here/../../../wit/1.0.0" --world strategy-module \
    componentize --python-path "$here" --stub-wasi --output "$1" momentum
