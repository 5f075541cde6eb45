#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Everything for a machine with a GPU: checks the bits on it, measures the speed, and compares it with PyTorch's.
#
#   tests/bench/gpu.sh [FOLDER]      results go to FOLDER; default: gpu in the build folder
#
# Environment:
#   CLNORM_BUILD    a build folder that is ready to use; default: builds in build/, and installs what that takes
#   CLNORM_DEVICE   a device by number or name, whatever kind it is; default: the first GPU that promises the same bits
#   PYTHON          the Python that has PyTorch with CUDA; default: python3. Without it, there is no comparison.
#
# Exit status: 0 done, 1 something failed, 77 no GPU here.
set -euo pipefail

case "${1-}" in
-*)
    sed -n '3,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
    [ "$1" = --help ] && exit 0
    exit 2
    ;;
esac
[ -z "${1-}" ] || mkdir -p "$1"
out=${1:+$(cd "$1" && pwd)}
build_folder=${CLNORM_BUILD:+$(cd "$CLNORM_BUILD" && pwd)}

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=ci/install
. ci/install
# shellcheck source=ci/build
. ci/build

python=${PYTHON:-python3}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Prints 'NUMBER NAME' of each GPU, numbered as clnorm does: all devices, platform by platform. Status 3: no loader.
list_gpus()
{
    "$python" - <<'END'
import ctypes
import sys

GPU, ALL, NAME, TYPE = 4, 0xFFFFFFFF, 0x102B, 0x1000
try:
    cl = ctypes.CDLL('libOpenCL.so.1')
except OSError:
    sys.exit(3)


def handles(call):
    count = ctypes.c_uint(0)
    if call(0, None, ctypes.byref(count)) != 0 or count.value == 0:
        return []
    found = (ctypes.c_void_p * count.value)()
    return list(found) if call(count.value, found, None) == 0 else []


number = 0
for platform in map(ctypes.c_void_p, handles(cl.clGetPlatformIDs)):
    for device in map(ctypes.c_void_p, handles(
            lambda *out: cl.clGetDeviceIDs(platform, ctypes.c_ulong(ALL), *out))):
        kind, name = ctypes.c_ulong(0), ctypes.create_string_buffer(512)
        cl.clGetDeviceInfo(device, TYPE, ctypes.c_size_t(8), ctypes.byref(kind), None)
        cl.clGetDeviceInfo(device, NAME, ctypes.c_size_t(512), name, None)
        if kind.value & GPU:
            print(number, name.value.decode(errors='replace').strip())
        number += 1
END
}

# Drivers' libraries that no .icd file names, as in containers that a GPU was passed through to.
list_drivers()
{
    local folder library
    {
        for library in libnvidia-opencl.so.1 libamdocl64.so libigdrcl.so; do
            for folder in /usr/lib /usr/lib64 /usr/lib32 /usr/lib/*-linux-gnu /usr/lib/*-linux-gnu/nvidia \
                /usr/lib/*-linux-gnu/nvidia/current /usr/lib/wsl/lib /usr/local/nvidia/lib64 /usr/local/nvidia/lib \
                /usr/local/lib /usr/local/cuda*/lib64 /usr/local/cuda*/compat /opt/rocm*/lib \
                /usr/lib/*-linux-gnu/intel-opencl /usr/local/lib/intel-opencl; do
                [ ! -e "$folder/$library" ] || echo "$folder/$library"
            done
        done
        PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null |
            sed -n -E 's/.* => (.*\/(libnvidia-opencl\.so\.1|libamdocl64\.so|libigdrcl\.so))$/\1/p' || true
    } | awk '!seen[$0]++'
}

# Lets the loader have one driver alone, together with the libraries beside it.
use_driver()
{
    mkdir -p "$scratch/vendors"
    echo "$1" >"$scratch/vendors/found.icd"
    export OCL_ICD_VENDORS="$scratch/vendors"
    export LD_LIBRARY_PATH="${1%/*}${library_path:+:$library_path}"
}

# Sets 'gpus' to what list_gpus prints. Status 3: no loader.
find_gpus()
{
    local driver status=0 library_path=${LD_LIBRARY_PATH-}
    gpus=$(list_gpus) || status=$?
    [ "$status" -eq 0 ] || return "$status"
    [ -z "$gpus" ] || return 0
    while read -r driver; do
        gpus=$(use_driver "$driver" && list_gpus) || continue
        if [ -n "$gpus" ]; then
            use_driver "$driver"
            echo "OpenCL driver without an .icd file: $driver"
            return 0
        fi
    done < <(list_drivers)
}

# ---- the GPU ----

gpus=
if [ -z "${CLNORM_DEVICE-}" ]; then
    status=0
    find_gpus || status=$?
    if [ "$status" -eq 3 ] && [ -z "$build_folder" ]; then
        install_missing build test
        status=0
        find_gpus || status=$?
    fi
    if [ "$status" -eq 3 ]; then
        echo "No GPU can be used here: there is no OpenCL loader, libOpenCL.so.1 (package ocl-icd-libopencl1)."
        exit 77
    elif [ "$status" -ne 0 ]; then
        echo "gpu.sh: the OpenCL devices cannot be listed by $python" >&2
        exit 1
    elif [ -z "$gpus" ]; then
        echo "No GPU here: no OpenCL platform has one, and no driver's library was found in the usual folders."
        exit 77
    fi
fi

# ---- the build ----

if [ -z "$build_folder" ]; then
    install_missing build test
    build build -Dbuildtype=release -Dtests=true
    build_folder=$PWD/build
fi
for program in clnorm tests/test_variants tests/test_block tests/bench/bench_blocks; do
    if [ ! -x "$build_folder/$program" ]; then
        echo "gpu.sh: $build_folder/$program is not there; ./ci/test builds it in build/" >&2
        exit 1
    fi
done
clnorm=$build_folder/clnorm
out=${out:-$build_folder/gpu}
export XDG_CACHE_HOME="${XDG_CACHE_HOME-$build_folder/cache}"
mkdir -p "$out" "$XDG_CACHE_HOME"

failures=()

# title LOG COMMAND...: runs it, keeps what it says, and goes on whatever comes of it.
step()
{
    local title=$1 log=$out/$2 status=0
    shift 2
    printf '\n==== %s ====\n' "$title"
    "$@" </dev/null 2>&1 | tee "$log" || status=${PIPESTATUS[0]}
    [ "$status" -eq 0 ] || failures+=("$title (exit status $status, $log)")
}

step devices devices.txt "$clnorm" devices

# CLNorm's own list says which of the GPUs promises the same bits; numbers must agree with names.
device=${CLNORM_DEVICE-}
if [ -z "$device" ]; then
    while read -r number name; do
        line=$(awk -F '\t' -v number="$number" '$1 == number' "$out/devices.txt")
        [[ $line == *"$name"* ]] || continue
        [ -n "$device" ] || device=$number
        if [[ ${line##*$'\t'} == "same bits"* ]]; then
            device=$number
            break
        fi
    done <<<"$gpus"
fi
if [ -z "$device" ]; then
    echo "gpu.sh: 'clnorm devices' does not list the GPU found: $gpus" >&2
    exit 1
fi
echo "device: $device"

# ---- bits and speed ----

step "clnorm check" check.txt "$clnorm" check --device "$device"
step "test_variants" test_variants.txt env CLNORM_TEST_DEVICE="$device" "$build_folder/tests/test_variants"
step "test_block" test_block.txt env CLNORM_TEST_DEVICE="$device" "$build_folder/tests/test_block"
step "bench_blocks" bench_blocks.txt env CLNORM_DEVICE="$device" "$build_folder/tests/bench/bench_blocks"

sets=(--shapes tests/bench/shapes.csv --set resnet50-b32)
step "clnorm bench" bench.txt "$clnorm" bench "${sets[@]}" --device "$device" --format csv --out "$out/clnorm.csv"

printf '\n==== PyTorch ====\n'
tables=("$out/clnorm.csv")
status=0
rm -f "$out/pytorch.csv"
"$python" tests/bench/torch_batchnorm.py --device cuda "${sets[@]}" >"$scratch/pytorch.csv" || status=$?
if [ "$status" -eq 0 ]; then
    mv "$scratch/pytorch.csv" "$out/pytorch.csv"
    tables+=("$out/pytorch.csv")
    echo "$out/pytorch.csv"
elif [ "$status" -eq 77 ]; then
    echo "no comparison with PyTorch"
else
    failures+=("PyTorch (exit status $status)")
fi

if [ -s "$out/clnorm.csv" ]; then
    step summary summary.txt "$python" tests/bench/compare_torch.py --table "${tables[@]}"
fi
printf '\nresults: %s\n' "$out"
if [ "${#failures[@]}" -gt 0 ]; then
    printf 'FAILED: %s\n' "${failures[@]}"
    exit 1
fi
