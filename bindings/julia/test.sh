#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds and runs all tests of Vastmax.jl, the way its README says to install it, and measures what a call costs over C.
#   bindings/julia/test.sh
# VASTMAX_BUILD names a build folder of the library (build/release, say), or a prefix that it was installed in; without it
# build/release is built. Needs what scripts/setup.sh installs; scripts/setup_julia.sh installs Julia where it is missing.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
if [ $# -gt 0 ]; then
  case $1 in
  -h | --help) sed -n '3,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "test.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
  esac
fi
say() { printf '\n== julia: %s\n' "$*"; }

"$root/scripts/setup_julia.sh"
julia --version

build=${VASTMAX_BUILD:-}
if [ -z "$build" ]; then
  say "building libvastmax"
  build=$root/build/release
  (cd "$root" && cmake --preset release >/dev/null && cmake --build --preset release --target vastmax)
fi
build=$(cd "$build" && pwd)
VASTMAX_LIBRARY=$(find -L "$build" -maxdepth 3 -name libvastmax.so -print -quit)
[ -n "$VASTMAX_LIBRARY" ] || { echo "test.sh: no libvastmax.so in $build" >&2; exit 1; }
export VASTMAX_LIBRARY

work=$(mktemp -d "${TMPDIR:-/tmp}/vastmax julia.XXXXXX")
trap 'rm -rf "$work"' EXIT

# Nothing of this machine's depot, and no network.
export JULIA_DEPOT_PATH=$work/depot JULIA_PKG_OFFLINE=true JULIA_PKG_SERVER=
"$root/scripts/setup_julia.sh" --registry
"$root/scripts/setup_julia.sh" --check

say "Pkg.develop and Pkg.test, with two threads"
export JULIA_NUM_THREADS=2 JULIA_PROJECT=$work/project
mkdir -p "$JULIA_PROJECT"
julia --startup-file=no -e 'using Pkg; Pkg.develop(path=ARGS[1])' "$here/Vastmax"
julia --startup-file=no -e 'using Pkg; Pkg.test("Vastmax")'

say "what a call costs over C"
"${CC:-cc}" -O2 -std=c99 -Wall -Wextra -Werror -shared -fPIC -I"$root/include" "$root/bindings/overhead.c" -o "$work/liboverhead.so" \
  -L"$(dirname "$VASTMAX_LIBRARY")" -lvastmax -Wl,-rpath,"$(dirname "$VASTMAX_LIBRARY")"
julia --startup-file=no "$here/overhead.jl" "$work/liboverhead.so"
