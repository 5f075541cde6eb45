#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_embed.sh EMBED: the README's example says that every channel was normalized.
set -eu
expected='channel 0: mean 0.0000, deviation 1.0000
channel 1: mean 0.0000, deviation 1.0000
channel 2: mean 0.0000, deviation 1.0000'
printed=$("$1")
printf '%s\n' "$printed"
if [ "$printed" != "$expected" ]; then
    printf 'expected:\n%s\n' "$expected" >&2
    exit 1
fi
