#!/usr/bin/env bash
# Make a base image for docker/trainer on a machine that reaches no registry: Debian with Python,
# by debootstrap, imported into the Docker Engine. Needs root, debootstrap and a Debian mirror.
#
#   docker/base-image.sh [NAME]      NAME: retune-base
#   SUITE=bookworm MIRROR=URL        what to install, and from where (debootstrap knows a default)
#   REBUILD=1                        make it anew where it is there already
set -euo pipefail

name=${1:-retune-base}
suite=${SUITE:-bookworm}
mirror=${MIRROR:-}
packages=ca-certificates,python3,python3-venv,python3-pip,python-is-python3

say() { echo "base image: $*"; }
fail() {
    echo "base image: $*" >&2
    exit 1
}

docker version >/dev/null 2>&1 ||
    fail "the Docker Engine does not answer; start it (systemctl start docker) or set DOCKER_HOST."
if [ -z "${REBUILD:-}" ] && docker image inspect "$name" >/dev/null 2>&1; then
    say "$name is there already (REBUILD=1 makes it anew)."
    exit 0
fi
[ "$(id -u)" = 0 ] || fail "debootstrap needs root; run: sudo make base-image"
command -v debootstrap >/dev/null ||
    fail "debootstrap is not installed; run: apt-get install debootstrap"

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e "$keyring" ] || fail "$keyring is missing; run: apt-get install debian-archive-keyring"

work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT

say "installing Debian $suite${mirror:+ from $mirror} ..."
if ! debootstrap --variant=minbase --keyring="$keyring" --include="$packages" \
    "$suite" "$work/root" ${mirror:+"$mirror"} 2>&1 | tee "$work/log" |
    awk '/Retrieving|Unpacking|Configuring/ && ++seen % 25 == 0 {
             print "base image: " seen " steps, now " tolower($2) " " $3; fflush() }'; then
    tail -n 5 "$work/log" >&2
    fail "debootstrap failed; the lines above say why. Is a Debian mirror reached from here (MIRROR)?"
fi

rm -rf "$work"/root/var/cache/apt/* "$work"/root/var/lib/apt/lists/* \
    "$work"/root/var/log/* "$work"/root/usr/share/doc/* "$work"/root/usr/share/man/*

say "importing ..."
tar --create --numeric-owner --one-file-system --directory "$work/root" . |
    docker import --change 'CMD ["python3"]' --message "Debian $suite with Python" - "$name" \
        >/dev/null
say "$name is ready: $(docker run --rm --network none "$name" python3 --version)," \
    "$(docker image inspect --format '{{.Size}}' "$name" | awk '{ printf "%d MB", $1 / 1e6 }')."
