#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Compiles every kernel program in every form offline with clang, warnings as errors: what a driver's compiler would only
# say on the user's machine. Usage: check_kernels.sh PROGRAMS FOLDER [FILE...]; PROGRAMS prints a line 'SOURCE OPTIONS'
# each, FOLDER holds the sources. FILEs are compiled as well, without options. Exits 77 where there is no clang that knows
# OpenCL C.
set -euo pipefail
programs=$1 folder=$2
shift 2

clang=${CLANG-clang}
check=("$clang" -x cl -cl-std=CL1.2 -Xclang -finclude-default-header -fsyntax-only)
# A source that is written once for several steps has parameters that one of them leaves alone.
warnings=(-Wall -Wextra -Wshadow -Wno-unused-parameter -Werror)

if ! echo 'kernel void f(global float *x) { *x = fma(*x, *x, *x); }' | "${check[@]}" - 2>/dev/null; then
    echo "there is no clang that compiles OpenCL C (package clang)"
    exit 77
fi

count=0 failed=0
declare -A seen
while read -r source options; do
    read -ra defines <<<"$options"
    count=$((count + 1))
    seen[$source]=1
    if ! "${check[@]}" "${warnings[@]}" "${defines[@]}" -I"$folder" "$folder/$source"; then
        echo "FAILED: $source $options"
        failed=$((failed + 1))
    fi
done < <("$programs")

# A file with a kernel in it that no variant names would never be compiled.
while read -r path; do
    if [ -z "${seen[${path##*/}]-}" ]; then
        echo "FAILED: ${path##*/} has a kernel, but no row of the table of variants names the file"
        failed=$((failed + 1))
    fi
done < <(grep -lE '^kernel ' "$folder"/*.cl)

for file; do
    count=$((count + 1))
    if ! "${check[@]}" "${warnings[@]}" "$file"; then
        echo "FAILED: $file"
        failed=$((failed + 1))
    fi
done

echo "$count programs, $failed failed"
[ "$count" -gt 0 ] && [ "$failed" -eq 0 ]
