#!/bin/sh
# build-kube-apiserver.sh [check]
# Puts a Kubernetes API server and its etcd into the user's cache folder. The server is built from Debian's source
# package, since no package registry offers a built one. The first run takes about 7 minutes on two cores; later runs
# do nothing. `check` only reports whether both are there. Nothing is installed into the system: what the build needs
# is unpacked into a folder that is removed afterwards.
set -eu
version=1.20.2
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ta-bot
server=$cache/kube-apiserver-$version
etcd=$cache/etcd
if [ -x "$server" ] && [ -x "$etcd" ]; then exit 0; fi
[ "${1:-}" != check ] || exit 1
for command in apt-get dpkg-source dpkg-deb make rsync jq cc; do
    command -v $command >/dev/null || {
        echo "$0: $command is missing: run 'make test-setup'" >&2
        exit 1
    }
done

mkdir -p "$cache"
work=$(mktemp -d "$cache/build.XXXXXX")
# Go makes the folders of its module cache read-only.
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
log=$work/log
# run COMMAND...: runs it quietly, unless it fails
run() {
    "$@" >>"$log" 2>&1 || {
        tail -n 40 "$log" >&2
        echo "$0: this failed: $*" >&2
        exit 1
    }
}

# Our own package lists, with the hosts and keys of the system's: source packages are usually turned off there.
mkdir -p "$work/sources" "$work/lists/partial" "$work/archives/partial" "$work/root"
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    [ -e "$file" ] || continue
    case $file in
    *.sources) sed 's/^Types:.*/Types: deb deb-src/' "$file" ;;
    *) sed -n -e '/^deb /{p;s/^deb /deb-src /;p;}' "$file" ;;
    esac >"$work/sources/$(basename "$file")"
done
# apt OPERATION...: runs apt-get as the current user, in our own folders
apt() {
    run apt-get -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/sources" \
        -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work" -o Dir::Cache::Archives=archives \
        -o APT::Sandbox::User="$(id -un)" "$@"
}
cd "$work"
apt update

if [ ! -x "$etcd" ]; then
    # The package is unpacked, not installed: installing it would run a service.
    apt download etcd-server
    run dpkg-deb -x etcd-server_*.deb root
    mv root/usr/bin/etcd "$etcd"
fi
[ ! -x "$server" ] || exit 0

echo "building the Kubernetes API server $version, once, about 7 minutes" >&2
apt download golang-1.19-go golang-1.19-src golang-github-modern-go-reflect2-dev
for package in golang-*.deb; do run dpkg-deb -x "$package" root; done
apt source --download-only kubernetes
mkdir -p go/src/k8s.io
run dpkg-source -x "$(ls kubernetes_*"$version"*.dsc)" go/src/k8s.io/kubernetes
export GOROOT="$work/root/usr/lib/go-1.19" GOPATH="$work/go" GOCACHE="$work/go-cache" GOPROXY=off CGO_ENABLED=0
export PATH="$GOROOT/bin:$PATH" KUBE_GIT_VERSION="v$version"
cd go/src/k8s.io/kubernetes
# The reflect2 library that comes with Kubernetes was written before Go 1.18 and corrupts the maps of that version. A
# server that is built with it dies on the first request by curl, for which it pretty-prints the response.
reflect=github.com/modern-go/reflect2
rm vendor/$reflect/*.go
cp "$work/root/usr/share/gocode/src/$reflect"/*.go vendor/$reflect
run make WHAT=cmd/kube-apiserver GOFLAGS=-mod=vendor
cp _output/bin/kube-apiserver "$server.new"
mv "$server.new" "$server"
