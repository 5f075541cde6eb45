#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Compiles every kernel program in every form offline with clang, for each kind of processor, warnings as errors: what a
# driver's compiler would only say on the user's machine. Usage: check_kernels.sh PROGRAMS FOLDER [FILE...]; PROGRAMS prints a
# line 'SOURCE OPTIONS' each, FOLDER holds the sources. FILEs are compiled as well, without options. Exits 77 where there is
# no clang that knows OpenCL C.
set -euo pipefail
programs=$1 folder=$2
shift 2
files=("$@")

# 'NAME: WIDTHS: OPTIONS'. A program in vectors is compiled for the widths that drivers there ask for. Sources ask a processor only for
# conversions of binary16 (F16C), so that AVX without them and AVX-512 with them tell what others would. Programs without a width, 0,
# are compiled once for x86-64. Drivers of limited loops compile for spir64, forms of their own (SMALL_CODE).
# SSE2 passes vectors of 8, which apply_flat has, in a way of its own, and says so; for aarch64 clang knows vload_half, which every OpenCL
# has, only together with an extension.
targets=(
    "SSE2: 0 4: -target x86_64-linux-gnu -Wno-psabi"
    "AVX: 8: -target x86_64-linux-gnu -mavx"
    "AVX-512: 16: -target x86_64-linux-gnu -mavx512f -mavx512vl -mavx512bw -mavx512dq -mfma -mf16c"
    "aarch64: 0 4: -target aarch64-linux-gnu -Xclang -cl-ext=+cl_khr_fp16"
    "spir64: 0 4 8: -target spir64"
)
# Warnings of calls (-Wpsabi) come when code is made of them; intermediate code is enough. A source that is written once for several
# steps has parameters that one of them leaves alone.
compile=("${CLANG-clang}" -x cl -cl-std=CL1.2 -c -o /dev/null -Xclang -emit-llvm-only -Xclang -disable-llvm-passes
    -Wall -Wextra -Wshadow -Wno-unused-parameter -Werror "-I$folder")

if ! echo 'kernel void f(global float *x) { *x = fma(*x, *x, *x); }' | "${compile[@]}" - 2>/dev/null; then
    echo "there is no clang that compiles OpenCL C (package clang)"
    exit 77
fi

# Prints the programs of a target as lines of clang's arguments. $2: the target's number.
programs_of()
{
    local name widths options source forms width number=$2
    IFS=: read -r name widths options <<<"$1"
    while read -r source forms; do
        case $name,$forms in
        spir64,*HINTS=1* | [!s]*SMALL_CODE*) continue ;;
        esac
        [[ $forms =~ -DVEC=([0-9]+) ]] && width=${BASH_REMATCH[1]} || width=0
        [[ "$widths " == *" $width "* ]] || continue
        # Of types, and what else a step does, programs of other processors differ by the width alone from AVX's, or else from SSE2's
        # without one: each has a sixth of them.
        if [[ $forms =~ TYPE|ACTIVATION|WEIGHTED && $name != AVX && "$name $width" != "SSE2 0" ]]; then
            number=$((number + 1))
            [ $((number % 6)) -eq 0 ] || continue
        fi
        echo "$options $folder/$source $forms"
    done <<<"$listed"
    [[ "$widths " == *" 0 "* ]] || return 0
    for source in "${files[@]}"; do
        echo "$options $source"
    done
}

# Compiles the programs on standard input; tells about those that do not compile in silence.
compile_each()
{
    local arguments said
    while read -ra arguments; do
        said=$("${compile[@]}" "${arguments[@]}" 2>&1 </dev/null) && [ -z "$said" ] ||
            printf '%s\nFAILED: %s\n' "$said" "${arguments[*]}"
    done
}

listed=$("$programs")
asked=$(for i in "${!targets[@]}"; do programs_of "${targets[$i]}" "$i"; done)
count=$(wc -l <<<"$asked")
jobs=$(nproc)
said=$(for ((job = 0; job < jobs; job++)); do
    awk -v jobs="$jobs" -v job="$job" 'NR % jobs == job' <<<"$asked" | compile_each &
done
wait)
failed=$(grep -c '^FAILED: ' <<<"$said" || true)
[ -z "$said" ] || printf '%s\n' "$said"

# A file with a kernel in it that no variant names would never be compiled.
while read -r path; do
    if ! grep -q "^${path#"$folder/"} " <<<"$listed"; then
        echo "FAILED: ${path#"$folder/"} has a kernel, but no row of the table of variants names the file"
        failed=$((failed + 1))
    fi
done < <(grep -lE '^kernel ' "$folder"/*/*.cl)

echo "$count programs, $failed failed"
[ "$count" -gt 0 ] && [ "$failed" -eq 0 ]
