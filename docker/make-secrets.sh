#!/bin/sh
# Make the secrets of compose.yaml as files in docker/secrets, with random values; what is there
# already is kept. They are never committed (.gitignore).
set -eu

folder=${1:-$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/secrets}

random_hex() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# Compose shows a file to a container as it is, whoever its processes run as: so the files can be
# read by all, and the folder is closed to everybody else on this machine.
mkdir -p "$folder"
chmod 700 "$folder"
for name in admin_password retune_token git_password postgres_password webhook_secret; do
    if [ ! -s "$folder/$name" ]; then
        prefix=
        # The shape of Jenkins' API tokens: the version, 11, and 32 hexadecimal digits.
        [ "$name" = retune_token ] && prefix=11
        printf '%s%s\n' "$prefix" "$(random_hex)" >"$folder/$name"
        echo "made $folder/$name"
    fi
    chmod 644 "$folder/$name"
done
