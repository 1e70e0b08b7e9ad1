#!/usr/bin/env bash
# Build the trainer image from docker/trainer, unless the very same one is there already.
#
#   docker/build-image.sh [NAME]     NAME: retune-trainer
#   BASE=image                       what to build on (default: the public Python image)
#   TENSORFLOW=requirement           another TensorFlow, such as tensorflow[and-cuda]==2.21.0
#   CA_BUNDLE=file                   certificates that pip needs here; they stay out of the image
#   REBUILD=1                        build it even so
#
# Where pip reaches its index by other settings (PIP_INDEX_URL, HTTPS_PROXY ...), those of the
# calling environment hold for the build, and are not kept in the image either.
set -euo pipefail

name=${1:-retune-trainer}
folder=$(cd "$(dirname "$0")/trainer" && pwd)

fail() {
    echo "image: $*" >&2
    exit 1
}

docker version >/dev/null 2>&1 ||
    fail "the Docker Engine does not answer; start it (systemctl start docker) or set DOCKER_HOST."
if [ -n "${CA_BUNDLE:-}" ] && [ ! -r "$CA_BUNDLE" ]; then
    fail "CA_BUNDLE names $CA_BUNDLE, which cannot be read."
fi
if [ -n "${BASE:-}" ] && [[ "$BASE" != */* ]] && ! docker image inspect "$BASE" >/dev/null 2>&1; then
    echo "image: $BASE is not on this engine; it will be pulled (or made by: make base-image)."
fi

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
(cd "$folder" && tar --create --exclude=__pycache__ --exclude='*.pyc' .) |
    tar --extract --directory "$context"

base_id=""
if [ -n "${BASE:-}" ]; then
    base_id=$(docker image inspect --format '{{.Id}}' "$BASE" 2>/dev/null || true)
fi
content=$(
    {
        cd "$context"
        find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
        echo "${BASE:-} $base_id ${TENSORFLOW:-}"
    } | sha256sum | cut -c 1-16
)
built=$(docker image inspect --format '{{index .Config.Labels "retune.content"}}' "$name" \
    2>/dev/null || true)
if [ -z "${REBUILD:-}" ] && [ "$built" = "$content" ]; then
    echo "image: $name is up to date (REBUILD=1 builds it even so)."
    exit 0
fi

# An empty file where none is handed in: the Dockerfile copies it into a stage that is thrown away.
cat -- "${CA_BUNDLE:-/dev/null}" >"$context/ca-bundle.crt"

arguments=()
for each in BASE TENSORFLOW PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST PIP_DEFAULT_TIMEOUT; do
    if [ -n "${!each:-}" ]; then arguments+=(--build-arg "$each"); fi
done
for each in HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy; do
    if [ -n "${!each:-}" ]; then arguments+=(--build-arg "$each"); fi
done

echo "image: building $name (TensorFlow is some hundred MB to download) ..."
docker build "${arguments[@]}" --label "retune.content=$content" --tag "$name" "$context" ||
    fail "the build failed; the lines above say why. Behind a private certificate authority, give its bundle in CA_BUNDLE."
echo "image: $name is ready, $(docker image inspect --format '{{.Size}}' "$name" |
    awk '{ printf "%.1f GB", $1 / 1e9 }')."
