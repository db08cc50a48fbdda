#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check_symbols.sh exported LIBRARY CC   libvastmax.so exports what capi/symbols.txt lists, all of it named vmx_*
# check_symbols.sh declared LIBRARY CC   what the header declares and what the library exports are the same
# check_symbols.sh --update LIBRARY      writes capi/symbols.txt (a symbol that goes is a break of the ABI)
set -euo pipefail
export LC_ALL=C
root=$(cd "$(dirname "$0")/../.." && pwd)
list="$root/capi/symbols.txt"
mode=$1 library=$2

# Version nodes (type A) and what the toolchain adds on some systems are no functions of ours.
exported() {
  nm -D --defined-only --format=posix "$library" | awk '$2 != "A" {sub(/@.*/, "", $1); print $1}' | sort -u
}
declared() {
  "$1" -E -P "-I$root/include" -include vastmax/vastmax.h -x c /dev/null |
    grep -oE '\bvmx_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u
}

case $mode in
--update)
  exported >"$list"
  echo "$(wc -l <"$list") symbols in $list"
  ;;
exported)
  foreign=$(exported | grep -v '^vmx_' || true)
  [ -z "$foreign" ] || { echo "exported, but not named vmx_*: $foreign"; exit 1; }
  soname=$(objdump -p "$library" | awk '$1 == "SONAME" {print $2}')
  expected=libvastmax.so.$(awk '$2 == "VMX_VERSION_MAJOR" {print $3; exit}' "$root/include/vastmax/vastmax.h")
  [ "$soname" = "$expected" ] || { echo "SONAME is $soname, not $expected"; exit 1; }
  if ! diff -u --label capi/symbols.txt --label "$library" "$list" <(exported); then
    echo "If that is meant: tests/abi/check_symbols.sh --update $library"
    exit 1
  fi
  echo "$(wc -l <"$list") symbols, as listed"
  ;;
declared)
  diff -u --label vastmax.h --label "$library" <(declared "$3") <(exported)
  echo "the header and the library agree"
  ;;
*)
  sed -n '3,5p' "$0"
  exit 2
  ;;
esac
