#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what building, testing and benchmarking vastmax needs and this machine lacks; does nothing when all is there.
#   scripts/setup.sh [--clang] [--languages] [--check]
#     --clang       also Clang 19, where the distribution has it (for the second compiler of scripts/test.sh)
#     --languages   also what the bindings and the documentation site need: Rust, Julia, Python's headers, Sphinx
#     --check       only tell what is missing: exit status 1 if anything is
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
want_clang=no want_languages=no check_only=no
for argument in "$@"; do
  case $argument in
  --clang) want_clang=yes ;;
  --languages) want_languages=yes ;;
  --check) check_only=yes ;;
  -h | --help) sed -n '3,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "setup.sh: unknown option $argument (see --help)" >&2; exit 2 ;;
  esac
done

has() { command -v "$1" >/dev/null 2>&1; }
compiles() { has g++ && printf '%s\n' "$@" | g++ -std=c++20 -fsyntax-only -x c++ - 2>/dev/null; }
preprocesses() { has g++ && printf '%s\n' "$@" | g++ -std=c++20 -E -x c++ - >/dev/null 2>&1; }
header() { preprocesses "#include <$1>"; }
at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; } # at_least WANTED FOUND

has_cmake() { has cmake && at_least 3.25 "$(cmake --version | sed -n 's/^cmake version \([0-9.]*\).*/\1/p')"; }
has_compiler() { compiles '#include <bit>' '#if __GNUC__ < 12' '#error' '#endif' 'int main() { return std::popcount(0u); }'; }
has_xsimd() {
  preprocesses '#include <xsimd/xsimd.hpp>' '#if XSIMD_VERSION_MAJOR * 100 + XSIMD_VERSION_MINOR < 801' '#error' '#endif'
}
has_onednn() {
  preprocesses '#include <dnnl_version.h>' '#if DNNL_VERSION_MAJOR * 100 + DNNL_VERSION_MINOR < 206' '#error' '#endif'
}
has_qemu() { has qemu-x86_64 || has qemu-x86_64-static; }
# The system's own Python, which packages belong to, before another one on the PATH.
python=python3
if [ -x /usr/bin/python3 ]; then python=/usr/bin/python3; fi
has_venv() { has $python && $python -c 'import venv, ensurepip' 2>/dev/null; }
has_numpy() { has $python && $python -c 'import numpy' 2>/dev/null; }
# Rust as new as the crates say, with its formatter and lints.
rust_version=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$here/../bindings/rust/Cargo.toml")
has_rust() {
  local tool
  for tool in rustc cargo rustfmt cargo-clippy; do has $tool || return 1; done
  at_least "$rust_version" "$(rustc --version | awk '{print $2}')"
}
# Debian 12 has a Rust that follows the browsers under names of its own; later releases and Ubuntu have it under the usual ones.
rust_packages() {
  if [ -n "$(apt-cache policy rustc-web 2>/dev/null | sed -n 's/^  Candidate: \([0-9].*\)$/\1/p')" ]; then
    echo rustc-web cargo-web rustfmt-web rust-web-clippy
  else
    echo rustc cargo rustfmt rust-clippy
  fi
}
has_python_headers() { has $python && [ -f "$($python -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ]; }
has_pycparser() { has $python && $python -c 'import pycparser' 2>/dev/null; }
has_sphinx() { has $python && $python -c 'import sphinx, myst_parser, furo' 2>/dev/null; }

# probe | Debian's packages | what to look for elsewhere
needs() {
  cat <<'LIST'
has_compiler|g++|GCC 12 or newer, with C++20
has_cmake|cmake|CMake 3.25 or newer
has ninja|ninja-build|Ninja
has pkg-config|pkg-config|pkg-config or pkgconf
has objdump|binutils|GNU binutils
has_xsimd|libxsimd-dev|xsimd 8.1 or newer (headers)
has_onednn|libdnnl-dev|oneDNN 2.6 or newer (headers and libdnnl)
header gtest/gtest.h|libgtest-dev|GoogleTest
header benchmark/benchmark.h|libbenchmark-dev|Google Benchmark
header CLI/CLI.hpp|libcli11-dev|CLI11 (headers)
header nlohmann/json.hpp|nlohmann-json3-dev|nlohmann-json (headers)
header cblas.h|libopenblas-dev|OpenBLAS or another CBLAS
has python3|python3|Python 3
has_venv|python3-venv|Python's venv and ensurepip
has_numpy|python3-numpy|NumPy
LIST
  if [ $want_languages = yes ]; then
    cat <<LIST
has_python_headers|python3-dev|Python's headers
has_pycparser|python3-pycparser|pycparser
has_rust|$(rust_packages)|Rust $rust_version or newer, with rustfmt and clippy
has_sphinx|python3-sphinx python3-myst-parser furo|Sphinx, myst-parser and furo
LIST
  fi
  # Only the tests of x86-64 builds emulate other CPUs.
  if [ "$(uname -m)" = x86_64 ]; then echo 'has_qemu|qemu-user|QEMU user emulation (qemu-x86_64)'; fi
}

missing() { # lines of needs() that do not hold
  local probe package text
  while IFS='|' read -r probe package text; do
    $probe </dev/null || printf '%s|%s\n' "$package" "$text"
  done < <(needs)
}

# Julia has a way of its own into Debian 12.
julia_last() {
  if [ $want_languages = yes ] && [ $check_only = no ]; then exec "$here/setup_julia.sh"; fi
  exit 0
}

lacking=$(missing)
clang_missing=no
if [ $want_clang = yes ] && ! has clang++-19; then clang_missing=yes; fi
if [ -z "$lacking" ] && [ $clang_missing = no ]; then
  echo "setup: everything is there"
  julia_last
fi
if [ $check_only = yes ]; then
  echo "missing:"
  if [ -n "$lacking" ]; then sed 's/^\(.*\)|\(.*\)$/  \2 (Debian: \1)/' <<<"$lacking"; fi
  if [ $clang_missing = yes ]; then echo "  Clang 19 (Debian: clang-19)"; fi
  exit 1
fi

if ! has apt-get || ! has dpkg; then
  {
    echo "setup: this script installs by apt (Debian, Ubuntu) alone. Please install:"
    if [ -n "$lacking" ]; then sed 's/^.*|/  - /' <<<"$lacking"; fi
    if [ $clang_missing = yes ]; then echo "  - Clang 19, if you want the second compiler of the tests"; fi
  } >&2
  [ -n "$lacking" ] || exit 0
  exit 1
fi

packages=()
if [ -n "$lacking" ]; then mapfile -t packages < <(cut -d'|' -f1 <<<"$lacking" | tr ' ' '\n'); fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! has sudo; then
    echo "setup: neither root nor sudo. Please run as root: apt-get install ${packages[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
apt() { ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -q "$@"; }
has_candidate() { grep -q '^  Candidate: [^(]' <<<"$(apt-cache policy "$1" 2>/dev/null)"; }
updated=no
update_once() { if [ $updated = no ]; then updated=yes; apt update; fi; }

wanted=(${packages[@]+"${packages[@]}"})
if [ $clang_missing = yes ]; then wanted+=(clang-19); fi
for package in "${wanted[@]}"; do
  has_candidate "$package" || { update_once; break; }
done
if [ $clang_missing = yes ]; then
  if has_candidate clang-19; then
    packages+=(clang-19)
  else
    echo "setup: this distribution has no package clang-19; going on without it"
  fi
fi

if [ ${#packages[@]} -gt 0 ]; then
  echo "setup: installing ${packages[*]}"
  # Old package lists name versions that the mirror no longer has: try again with new ones.
  apt install -y --no-install-recommends "${packages[@]}" ||
    { [ $updated = no ] && update_once && apt install -y --no-install-recommends "${packages[@]}"; }
fi

lacking=$(missing)
if [ -n "$lacking" ]; then
  echo "setup: still missing, or too old in this distribution:" >&2
  sed 's/^.*|/  - /' <<<"$lacking" >&2
  exit 1
fi
echo "setup: done"
julia_last
