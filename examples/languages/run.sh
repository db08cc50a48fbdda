#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One file of logits, four languages: Python writes it; Rust, Julia and C fold a shard each; C merges the states and compares
# the bits with one call over the whole.
#   examples/languages/run.sh
# VASTMAX_BUILD names a build folder of the library (default: build/release), or a prefix that it was installed in. PYTHON is the
# Python that has the vastmax binding, or NumPy at least (default: python3). Needs Julia (scripts/setup_julia.sh) and Rust's cargo.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$(cd "${VASTMAX_BUILD:-$root/build/release}" && pwd)

work=$(mktemp -d "${TMPDIR:-/tmp}/vastmax-languages.XXXXXX")
trap 'rm -rf "$work"' EXIT

# All three languages on one library: installed, as pkg-config finds it.
prefix=$build
if [ -f "$build/CMakeCache.txt" ]; then
  prefix=$work/prefix
  cmake --install "$build" --prefix "$prefix" >"$work/log" || { cat "$work/log"; exit 1; }
fi
VASTMAX_LIBRARY=$(find -L "$prefix" -maxdepth 3 -name libvastmax.so -print -quit)
[ -n "$VASTMAX_LIBRARY" ] || { echo "run.sh: no libvastmax.so in $prefix" >&2; exit 1; }
export VASTMAX_LIBRARY
libdir=$(dirname "$VASTMAX_LIBRARY")
export LD_LIBRARY_PATH=$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} PKG_CONFIG_PATH=$libdir/pkgconfig

for program in fold_shard merge_states; do
  "${CC:-cc}" -O2 -std=c99 -Wall -Wextra -Wpedantic -Werror -I"$root/include" "$here/$program.c" -o "$work/$program" -L"$libdir" -lvastmax
done

rows=5 block=4096 cols=$((9 * 4096 + 1234)) # the last shard ends inside a block
cuts=(0 $((2 * block)) $((5 * block)) "$cols")

echo "== Python writes $rows x $cols logits"
python=${PYTHON:-python3}
"$python" "$root/bindings/python/examples/write_logits.py" $rows $cols 20 "$work/logits"
[ "$(stat -c %s "$work/logits")" -eq $((4 * rows * cols)) ] || { echo "run.sh: the file of logits has another size" >&2; exit 1; }

echo "== Rust folds [${cuts[0]}, ${cuts[1]})"
cargo run --quiet --manifest-path "$root/bindings/rust/vastmax/Cargo.toml" --example fold_shard -- \
  "$work/logits" $rows $cols "${cuts[0]}" "${cuts[1]}" "$work/rust"

echo "== Julia folds [${cuts[1]}, ${cuts[2]})"
julia --startup-file=no --project="$root/bindings/julia/Vastmax" "$here/fold_shard.jl" "$work/logits" $rows $cols "${cuts[1]}" "${cuts[2]}" "$work/julia"

echo "== C folds [${cuts[2]}, ${cuts[3]})"
"$work/fold_shard" "$work/logits" $rows $cols "${cuts[2]}" "${cuts[3]}" "$work/c"

echo "== C merges"
"$work/merge_states" "$work/logits" $rows $cols "$work/rust" "$work/julia" "$work/c"
"$work/merge_states" "$work/logits" $rows $cols "$work/c" "$work/rust" "$work/julia" # in any order
# A shard that is missing, or twice, must show.
for wrong in "$work/rust $work/julia" "$work/rust $work/julia $work/c $work/c"; do
  # shellcheck disable=SC2086
  if "$work/merge_states" "$work/logits" $rows $cols $wrong 2>/dev/null; then
    echo "run.sh: the comparison passes with wrong shards" >&2
    exit 1
  fi
done
