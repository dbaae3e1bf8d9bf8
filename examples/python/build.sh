#!/bin/sh
# Builds the component of an example: build.sh OUTPUT NAME, for example build.sh donchian.wasm donchian
# Needs a virtual environment with ../requirements.txt installed, whose path is in VENV. Outside this repository
# `pip install ta-bot-sdk[build]` brings the command; here it is taken from the source.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${VENV:-$here/../../target/venv}
PYTHONPATH=$here/../../sdk/python/src "$venv/bin/python" -m ta_bot_sdk.build build "$here/$2.py" --output "$1"
