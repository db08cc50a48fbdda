#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check_isa_objects.sh LIST ISA...        LIST: a file that names the library's objects, one a line
# check_isa_objects.sh --self-test CXX    shows that each fault below is found
#
# An inline function or template compiled in avx512.cpp is a weak symbol; the linker keeps one copy of those, and may
# keep that one for everybody: a crash on other CPUs. So:
#   1. the objects src/targets/<isa>.cpp define no weak symbol;
#   2. no other object has AVX code of any width, and none but avx512 has AVX-512 code.
set -euo pipefail
export LC_ALL=C

# What the toolchain makes for unwinding is data, the same in each copy.
weak_symbols() { nm --defined-only "$1" | awk '$2 ~ /^[WVu]$/ && $3 !~ /^DW\.ref\./ {print $3}' | c++filt; }

# Instruction lines only: mnemonic and operands.
code() { objdump -d --no-show-raw-insn "$1" | sed -nE 's/^ *[0-9a-f]+:\t//p'; }
# VEX and EVEX mnemonics begin with v; so do a few old ones.
avx_code() { code "$1" | grep -E '^v|%[yz]mm|%k[0-7]' | grep -vE '^(verr|verw|vm(call|launch|resume|xoff|func|run|load|save|mcall))\b' || true; }
avx512_code() { code "$1" | grep -E '%zmm|%[xy]mm(1[6-9]|2[0-9]|3[01])|%k[0-7]' || true; }

check() { # list, isas...
  local list=$1 object isa name text faults=0 seen=0
  shift
  while IFS= read -r object; do
    [ -n "$object" ] || continue
    isa=none
    for name in "$@"; do
      case $object in */targets/$name.cpp.o) isa=$name ;; esac
    done
    if [ $isa != none ]; then
      seen=$((seen + 1))
      text=$(weak_symbols "$object")
      if [ -n "$text" ]; then
        printf '%s defines weak symbols:\n%s\n' "$object" "$(head -n 20 <<<"$text")"
        faults=$((faults + 1))
      fi
    fi
    case $isa in
    none | scalar) text=$(avx_code "$object") ;;
    avx2) text=$(avx512_code "$object") ;;
    *) text= ;;
    esac
    if [ -n "$text" ]; then
      printf '%s has code beyond its ISA:\n%s\n' "$object" "$(head -n 5 <<<"$text")"
      faults=$((faults + 1))
    fi
  done <"$list"
  if [ $seen -ne $# ]; then
    echo "$seen objects of src/targets were found, $# ISAs are listed"
    return 1
  fi
  [ $faults -eq 0 ]
}

self_test() { # compiler
  local cxx=$1 work
  work=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
  mkdir -p "$work/targets" "$work/core"
  cat >"$work/clean.cpp" <<'CPP'
namespace { float twice(float x) { return x + x; } }
float entry_NAME(float x) { return twice(x); }
CPP
  cat >"$work/weak.cpp" <<'CPP'
template <class T> __attribute__((noinline)) T shared(T x) { return x + x; }
float entry_NAME(float x) { return shared(x); }
CPP
  cat >"$work/wide.cpp" <<'CPP'
void entry_NAME(const float* a, float* b) { for (int i = 0; i < 64; ++i) b[i] = a[i] + 1.0f; }
CPP
  object() { # kind, place, flags...
    local kind=$1 place=$2
    shift 2
    sed "s/NAME/$(basename "$place")/" "$work/$kind.cpp" >"$work/source.cpp"
    "$cxx" -O3 "$@" -c "$work/source.cpp" -o "$work/$place.cpp.o"
  }
  lay_out() {
    object clean targets/scalar
    object clean targets/avx2 -mavx2
    object wide targets/avx512 -mavx512f -mavx512vl -mprefer-vector-width=512
    object clean core/cpu
    printf '%s\n' "$work"/targets/{scalar,avx2,avx512}.cpp.o "$work/core/cpu.cpp.o" >"$work/list"
  }
  expect() { # clean|fault, what
    local result=clean
    check "$work/list" scalar avx2 avx512 >"$work/out" 2>&1 || result=fault
    if [ $result != "$1" ]; then
      echo "self-test: $2: expected $1, found $result"
      cat "$work/out"
      exit 1
    fi
    echo "self-test: $2: $result, as it should be"
  }
  lay_out && expect clean "nothing planted"
  lay_out && object weak targets/avx512 -mavx512f && expect fault "weak symbol in an ISA object"
  lay_out && object weak targets/scalar && expect fault "weak symbol in the scalar object"
  lay_out && object wide core/cpu -mavx2 && expect fault "ymm code outside the ISA objects"
  lay_out && object wide core/cpu -mavx512f -mprefer-vector-width=512 && expect fault "zmm code outside the ISA objects"
  lay_out && object clean core/cpu -mavx && expect fault "VEX code on xmm outside the ISA objects"
  lay_out && object wide targets/avx2 -mavx512f -mprefer-vector-width=512 && expect fault "zmm code in the avx2 object"
  lay_out && sed -i '/avx2/d' "$work/list" && expect fault "an ISA object missing"
}

if [ "$1" = --self-test ]; then
  self_test "$2"
else
  check "$@"
  echo "no weak symbols in the ISA objects, no AVX code outside them"
fi
