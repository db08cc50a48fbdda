#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a call costs from Rust, Julia and Python beside the same call from C, on one row of 1,000 scores: the fastest of many
# short rounds that take turns. Prints three tables; docs/site/overhead.md has some figures of one machine.
#   scripts/overhead.sh
# VASTMAX_BUILD names a build folder of the library; without it build/release is built. Leave the machine alone meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
case ${1:-} in
'') ;;
-h | --help) sed -n '3,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
*) echo "overhead.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
esac

scripts/setup.sh --languages
build=${VASTMAX_BUILD:-}
if [ -z "$build" ]; then
  build=$root/build/release
  cmake --preset release >/dev/null
  cmake --build --preset release -j "$(nproc)"
fi
build=$(cd "$build" && pwd)

work=$root/build/overhead
mkdir -p "$work"
cmake --install "$build" --prefix "$work/prefix" >/dev/null
VASTMAX_LIBRARY=$(find "$work/prefix" -name libvastmax.so -print -quit)
[ -n "$VASTMAX_LIBRARY" ] || { echo "overhead.sh: no libvastmax.so in $build" >&2; exit 1; }
libdir=$(dirname "$VASTMAX_LIBRARY")
export VASTMAX_LIBRARY VASTMAX_BUILD=$build
export LD_LIBRARY_PATH=$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} PKG_CONFIG_PATH=$libdir/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}

printf '\n== Rust\n'
(cd bindings/rust && cargo bench --quiet --package vastmax --bench overhead)

printf '\n== Julia\n'
"${CC:-cc}" -O2 -std=c99 -shared -fPIC -Iinclude bindings/overhead.c -o "$work/liboverhead.so" -L"$libdir" -lvastmax
(
  export JULIA_DEPOT_PATH=$work/depot JULIA_PKG_OFFLINE=true JULIA_PKG_SERVER='' JULIA_PROJECT=$work/project
  mkdir -p "$JULIA_PROJECT"
  scripts/setup_julia.sh --registry
  julia --startup-file=no -e 'using Pkg; Pkg.develop(path=ARGS[1])' "$root/bindings/julia/Vastmax" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
  julia --startup-file=no bindings/julia/overhead.jl "$work/liboverhead.so"
)

printf '\n== Python\n'
system=python3
if [ -x /usr/bin/python3 ]; then system=/usr/bin/python3; fi
[ -x "$work/venv/bin/python" ] || $system -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps ./bindings/python
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check numpy
"$work/venv/bin/python" bindings/python/bench/overhead.py
