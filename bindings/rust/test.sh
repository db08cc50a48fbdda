#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds and runs all tests of the Rust crates.
#   bindings/rust/test.sh [--quick]
#     --quick   with VASTMAX_BUILD: without compiling the C++ sources that a published crate carries (minutes)
# VASTMAX_BUILD names a build folder of the library (build/release, say) to install from; without it the tests run on the one
# that is compiled from the crate's sources. Needs what scripts/setup.sh installs; installs Rust on Debian and Ubuntu if there
# is none, or an old one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
quick=no
for argument in "$@"; do
  case $argument in
  --quick) quick=yes ;;
  -h | --help) sed -n '3,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "test.sh: unknown option $argument (see --help)" >&2; exit 2 ;;
  esac
done
build=${VASTMAX_BUILD:-}
if [ -n "$build" ]; then build=$(cd "$build" && pwd); fi
if [ -z "$build" ]; then quick=no; fi

say() { printf '\n== rust: %s\n' "$*"; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ------------------------------------------------------------------------------------------------ Rust

wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$here/Cargo.toml")
has_rust() {
  local tool found
  for tool in rustc cargo rustfmt cargo-clippy; do
    command -v $tool >/dev/null 2>&1 || return 1
  done
  found=$(rustc --version | awk '{print $2}')
  [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" = "$wanted" ]
}
if ! has_rust; then
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "test.sh: please install Rust $wanted or newer, with rustfmt and clippy" >&2
    exit 1
  fi
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi
  apt() { ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -q "$@"; }
  # Debian 12 has a Rust that follows the browsers under names of its own; later releases and Ubuntu have it under the usual ones.
  candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: \([0-9].*\)$/\1/p'; }
  [ -n "$(candidate rustc)" ] || apt update
  if [ -n "$(candidate rustc-web)" ]; then
    packages=(rustc-web cargo-web rustfmt-web rust-web-clippy)
  else
    packages=(rustc cargo rustfmt rust-clippy)
  fi
  say "installing ${packages[*]}"
  apt install -y --no-install-recommends "${packages[@]}" || { apt update && apt install -y --no-install-recommends "${packages[@]}"; }
  hash -r
  has_rust || { echo "test.sh: Rust $wanted or newer is needed, and this distribution has $(rustc --version)" >&2; exit 1; }
fi
rustc --version
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$here/target}
cargo() { (cd "$here" && command cargo "$@"); }

# ---------------------------------------------------------------------------- the crate as it is published

vendored=""
if [ $quick = no ]; then
  say "vastmax-sys as a published crate, its sources compiled"
  "$here/vendor.sh"
  cargo package --quiet --package vastmax-sys --no-verify --allow-dirty
  archive=$(find "$CARGO_TARGET_DIR/package" -maxdepth 1 -name 'vastmax-sys-*.crate' | head -n 1)
  rm -rf "$here/vastmax-sys/vendor"
  tar -xzf "$archive" -C "$work"
  unpacked=$(find "$work" -maxdepth 1 -name 'vastmax-sys-*')
  # A folder that stays, so that nothing is compiled twice; the sources in it are those of the archive just made.
  kept=$CARGO_TARGET_DIR/vendored
  mkdir -p "$kept"
  if [ -e "$kept/crate" ] && diff -r "$unpacked" "$kept/crate" --exclude Cargo.lock >/dev/null; then
    echo "the same sources as before"
  else
    rm -rf "$kept/crate"
    cp -R "$unpacked" "$kept/crate"
  fi
  (cd "$kept/crate" && VASTMAX_NO_PKG_CONFIG=1 CARGO_TARGET_DIR="$kept/target" command cargo test --quiet)
  library=$(find "$kept/target" -path '*/vastmax-sys-*/out/lib/libvastmax.a' -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2-)
  vendored=${library%/lib/libvastmax.a}
fi

# ------------------------------------------------------------------------------------------- the library

unset VASTMAX_NO_PKG_CONFIG VASTMAX_STATIC
if [ -n "$build" ]; then
  say "the library of $build, by pkg-config"
  cmake --install "$build" --prefix "$CARGO_TARGET_DIR/vastmax-prefix" >/dev/null
  prefix=$CARGO_TARGET_DIR/vastmax-prefix
  libdir=$(dirname "$(find "$prefix" -name libvastmax.so | head -n 1)")
  export LD_LIBRARY_PATH=$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  export PKG_CONFIG_PATH=$libdir/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
else
  say "the static library just compiled, by pkg-config"
  export VASTMAX_STATIC=1
  export PKG_CONFIG_PATH=$vendored/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
fi

# ------------------------------------------------------------------------------------------------- tests

say "format, lints, documentation"
cargo fmt --all --check
cargo clippy --quiet --all-targets --all-features -- -D warnings
cargo clippy --quiet --all-targets -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --all-features

say "tests"
cargo test --quiet --locked --all-features
cargo test --quiet --locked --package vastmax

say "a crate that uses vastmax, as the README says"
block() { awk '/^```rust$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$here/README.md"; }
expected=$(sed -n 's/^prints `\(.*\)`\.$/\1/p' "$here/README.md")
[ -n "$expected" ] || { echo "README.md does not tell what its program prints"; exit 1; }
(
  command cargo new --quiet --vcs none --name consumer "$work/consumer"
  cd "$work/consumer"
  command cargo add --quiet --path "$here/vastmax"
  block >src/main.rs
  printed=$(command cargo run --quiet)
  echo "$printed"
  [ "$printed" = "$expected" ] || { echo "README.md says: $expected"; exit 1; }
)

say "overhead of a call"
cargo bench --quiet --package vastmax --bench overhead

say "all tests passed"
