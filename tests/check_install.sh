#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# check_install.sh cmake|pkg-config SOURCE BUILD PREFIX LIBDIR
#
# Installs into a temporary folder, builds the README's example against what lies there, shared and static, by CMake or by
# pkg-config, and runs it. PREFIX and LIBDIR are Meson's options. Exits 77 where CMake or pkg-config is not there.
set -eu
way=$1 source=$2 build=$3 prefix=$4 libdir=$5
if ! command -v "$way" >/dev/null; then
    echo "no $way here (package $way)"
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
meson install -C "$build" --no-rebuild --destdir "$folder/root" >"$folder/log" 2>&1 || {
    cat "$folder/log" >&2
    exit 1
}
# As a user would unpack it elsewhere: nothing may lead back to where it was built, or to the prefix.
mkdir "$folder/moved"
mv "$folder/root$prefix"/* "$folder/moved"
root=$folder/moved
lib=$root/$libdir

# run_embed PROGRAM shared|static: it does what it should, with the library that it should have.
run_embed()
{
    if [ "$2" = shared ] && ! LD_LIBRARY_PATH="$lib" ldd "$1" | grep -q "$lib/libclnorm.so"; then
        echo "$1 is not linked with $lib/libclnorm.so:" >&2
        LD_LIBRARY_PATH="$lib" ldd "$1" >&2
        exit 1
    fi
    if [ "$2" = static ] && ldd "$1" | grep libclnorm >&2; then
        echo "$1 is linked with the shared library" >&2
        exit 1
    fi
    echo "by $way, $2:"
    LD_LIBRARY_PATH="$lib" "$source/tests/examples/check_embed.sh" "$1"
}

case $way in
cmake)
    cmake -G Ninja -S "$source/tests/examples/cmake" -B "$folder/embed" -DCMAKE_PREFIX_PATH="$root"
    cmake --build "$folder/embed"
    run_embed "$folder/embed/embed" shared
    run_embed "$folder/embed/embed_static" static
    # A version that is not there must be refused.
    sed 's/find_package(clnorm 0.1 /find_package(clnorm 99.1 /' "$source/tests/examples/cmake/CMakeLists.txt" >"$folder/moved/CMakeLists.txt"
    if cmake -G Ninja -S "$folder/moved" -B "$folder/newer" -DCMAKE_PREFIX_PATH="$root" >"$folder/log" 2>&1 ||
        ! grep -q 'clnorm-config.cmake, version: 0' "$folder/log"; then
        echo "version 99.1 was asked for, and not refused:" >&2
        cat "$folder/log" >&2
        exit 1
    fi
    ;;
pkg-config)
    export PKG_CONFIG_PATH="$lib/pkgconfig"
    # shellcheck disable=SC2046 # one flag a word
    ${CC-cc} "$source/tests/examples/embed.c" -o "$folder/shared" \
        $(pkg-config --define-variable=prefix="$root" --cflags --libs clnorm OpenCL) -lm
    run_embed "$folder/shared" shared
    # shellcheck disable=SC2046
    ${CC-cc} "$source/tests/examples/embed.c" -o "$folder/static" \
        $(pkg-config --define-variable=prefix="$root" --static --cflags --libs clnorm OpenCL |
            sed 's/-lclnorm/-l:libclnorm.a/') -lm
    run_embed "$folder/static" static
    ;;
*)
    exit 2
    ;;
esac
version=$(LD_LIBRARY_PATH="$lib" "$root/bin/clnorm" --version | head -n 1)
echo "the tool there: $version"
