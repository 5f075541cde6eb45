#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_readme.sh README.md EMBED.c: the README's first block of C is that file, to the letter.
set -eu
if ! awk '/^```c$/ { inside = 1; next } inside && /^```$/ { exit } inside { print }' "$1" | cmp -s - "$2"; then
    echo "the block of C in $1 differs from $2 (< README, > file):" >&2
    awk '/^```c$/ { inside = 1; next } inside && /^```$/ { exit } inside { print }' "$1" | diff - "$2" >&2
    exit 1
fi
echo "the README's example is $(basename "$2")"
