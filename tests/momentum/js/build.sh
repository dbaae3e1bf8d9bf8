#!/bin/sh
# Builds a component from momentum.js: build.sh OUTPUT
# Needs the packages of examples/js (run npm ci there).
#
# --stub-wasi removes the WASI imports, which the host would refuse; --sync leaves out the support for promises, which
# a strategy has no use for; --opt-size uses the smaller of two QuickJS builds.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
"$here/../../../examples/js/node_modules/.bin/componentize-qjs" --wit "$here/../../../wit/1.0.0" --world strategy-module \
    --js "$here/momentum.js" --stub-wasi --sync --opt-size --output "$1" >/dev/null
