# Names and places that build and check share. Read with `.`, in the top folder of the repository.
# shellcheck shell=sh disable=SC2034 # they are used there

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
machine=$(uname -m)
target=${CROSSFADE_TARGET:-$machine-unknown-linux-gnu}
case $machine in
x86_64) deb_machine=amd64 ;;
aarch64) deb_machine=arm64 ;;
*) echo "release: no packages are made for $machine; use x86_64 or aarch64" >&2; exit 1 ;;
esac
tools=target/release-tools
stage=target/release-stage
dist=target/dist
binary=target/$target/packaged/crossfade

tarball=crossfade-$version-$machine-linux.tar.gz
deb=crossfade_$version-1_$deb_machine.deb
rpm=crossfade-$version-1.$machine.rpm
image=crossfade-$version-$machine-oci.tar
sbom=crossfade-$version-$machine.cdx.json

# The commit and its date. Everything that has a time in it has this one.
if [ -z "${CROSSFADE_COMMIT:-}" ]; then
    CROSSFADE_COMMIT=$(git rev-parse HEAD) || exit 1
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
fi
: "${SOURCE_DATE_EPOCH:?set it with CROSSFADE_COMMIT: seconds since 1970}"
export CROSSFADE_COMMIT SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC

# Debian's packages of these names, where a command or a file is missing: install_missing COMMAND PACKAGE...
install_missing() {
    missing=
    while [ "$#" -gt 0 ]; do
        command -v "$1" > /dev/null || missing="$missing $2"
        shift 2
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" -eq 0 ]; then root=; else root=sudo; fi
    echo "installing:$missing"
    # shellcheck disable=SC2086 # one word for each package, and nothing at all where no sudo is needed
    $root apt-get update -qq &&
        $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
}
