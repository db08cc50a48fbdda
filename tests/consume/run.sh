#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD_DIR CMAKE GENERATOR CC PKG_CONFIG VERSION: installs the build under a path with spaces, moves it away from
# where it was installed, and builds and runs a C99 consumer of it by find_package and by pkg-config, shared and static.
set -euo pipefail
build=$1 cmake=$2 generator=$3 cc=$4 pkg_config=$5 version=$6
project=$(cd "$(dirname "$0")/project" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/vastmax consume.XXXXXX")
trap 'rm -rf "$work"' EXIT

run() { "$@" >"$work/log" 2>&1 || { cat "$work/log"; echo "FAILED: $*"; exit 1; }; }

run "$cmake" --install "$build" --prefix "$work/first place"
prefix="$work/second place"
mv "$work/first place" "$prefix"
cd "$prefix"
for file in include/vastmax/vastmax.h share/licenses/vastmax/LICENSE; do
  [ -e "$file" ] || { echo "not installed: $file"; exit 1; }
done
libdir=$(dirname "$(find . -name libvastmax.a -print -quit)")
libdir="$prefix/${libdir#./}"
[ -L "$libdir/libvastmax.so.${version%%.*}" ] || { echo "no libvastmax.so.${version%%.*} in $libdir"; exit 1; }
if grep -rIlF -e "$build" -e "$work" "$prefix"; then
  echo "the files above name the place they were built or installed in"
  exit 1
fi

echo "== find_package"
run "$cmake" -S "$project" -B "$work/by cmake" -G "$generator" "-DCMAKE_C_COMPILER=$cc" "-DCMAKE_PREFIX_PATH=$prefix" \
  "-DWANTED_VERSION=$version" -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF
run "$cmake" --build "$work/by cmake"
"$work/by cmake/by_shared"
"$work/by cmake/by_static"

echo "== pkg-config"
export PKG_CONFIG_PATH="$libdir/pkgconfig"
[ "$("$pkg_config" --modversion vastmax)" = "$version" ] || { echo "vastmax.pc has another version"; exit 1; }
strict=(-std=c99 -Wall -Wextra -Wpedantic -Werror)
# eval: pkg-config escapes the spaces of its paths for a shell.
eval "flags=($("$pkg_config" --cflags --libs vastmax))"
run "$cc" "${strict[@]}" "$project/main.c" -o "$work/shared" "${flags[@]}"
LD_LIBRARY_PATH="$libdir" "$work/shared"
eval "flags=($("$pkg_config" --static --cflags --libs vastmax))"
flags=("${flags[@]/#-lvastmax/-l:libvastmax.a}")
run "$cc" "${strict[@]}" "$project/main.c" -o "$work/static" "${flags[@]}"
"$work/static"
if grep -q 'NEEDED.*libvastmax' <<<"$(objdump -p "$work/static")"; then
  echo "the static consumer needs libvastmax.so"
  exit 1
fi

if [ -x "$prefix/bin/vastmax" ]; then
  echo "== the installed command"
  run "$prefix/bin/vastmax" --version
  cat "$work/log"
fi
