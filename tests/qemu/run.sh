#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh PROBE QEMU CPU_MODEL ISA: on that CPU model the library chooses ISA, refuses the next one up when told to use
# it, and gives the very bits that it gives on this machine.
set -euo pipefail
probe=$1 qemu=$2 model=$3 isa=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

emulated() { "$qemu" -cpu "$model" "$@" 2>"$work/errors" || { cat "$work/errors"; return 1; }; }

"$probe" >"$work/here"
emulated "$probe" >"$work/there" || { tail -n 2 "$work/there"; echo "FAILED under -cpu $model"; exit 1; }
grep -q "^active: $isa\$" "$work/there" || { head -n 2 "$work/there"; echo "not $isa under -cpu $model"; exit 1; }
diff <(grep '^bits' "$work/here") <(grep '^bits' "$work/there") || { echo "other bits under -cpu $model"; exit 1; }

case $isa in
scalar) above=avx2 ;;
avx2) above=avx512 ;;
esac
refused=$("$qemu" -cpu "$model" -E VASTMAX_ISA=$above "$probe" 2>&1 || true)
grep -q '^refused: status 9' <<<"$refused" || { echo "VASTMAX_ISA=$above was not refused under -cpu $model: $refused"; exit 1; }

head -n 2 "$work/there"
echo "$(grep -c '^bits' "$work/there") results, the same bits as here ($(grep '^active' "$work/here"))"
