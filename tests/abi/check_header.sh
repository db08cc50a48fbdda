#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check_header.sh INCLUDE_DIR CC CXX: the public header compiles by itself in every dialect of C and C++ that it
# promises, without a warning, with the build's compilers and with GCC and Clang where they are installed.
set -euo pipefail
include=$1 cc=$2 cxx=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/use.c" <<'C'
#include <vastmax/vastmax.h>
#include <vastmax/vastmax.h> /* twice: the include guard */
/* Every initialiser macro, as a caller would write it. */
INITIALISERS
int main(void) { return vmx_version() == VMX_VERSION ? VMX_OK : 1; }
C
# Each VMX_<X>_INIT macro belongs to the type vmx_<x>.
{
  grep -oE '^#define VMX_[A-Z_]+_INIT\b' "$include/vastmax/vastmax.h" | awk '{print $2}' | while read -r macro; do
    type=$(echo "${macro%_INIT}" | tr '[:upper:]' '[:lower:]')
    echo "extern $type check_$type; $type check_$type = $macro;"
  done
} >"$work/initialisers"
[ -s "$work/initialisers" ] || { echo "no VMX_*_INIT macro was found in vastmax.h"; exit 1; }
sed -i -e "/^INITIALISERS/{r $work/initialisers" -e 'd}' "$work/use.c"
cp "$work/use.c" "$work/use.cpp"
# Nothing but these two headers may be pulled in by the public one.
extra=$(grep -E '^ *# *include' "$include/vastmax/vastmax.h" | grep -vE '<(stddef|stdint)\.h>' || true)
[ -z "$extra" ] || { echo "vastmax.h includes more than stddef.h and stdint.h: $extra"; exit 1; }

warnings=(-Wall -Wextra -Wpedantic -Werror -Wshadow -Wundef -fsyntax-only "-I$include")
checked=0
check() { # compiler, standard, file, more flags
  local compiler=$1 std=$2 file=$3
  shift 3
  "$compiler" "-std=$std" "${warnings[@]}" "$@" "$file" || { echo "FAILED: $compiler -std=$std"; exit 1; }
  checked=$((checked + 1))
}
supports() { echo | "$1" "-std=$2" -x "$3" -fsyntax-only - 2>/dev/null; }

compilers_of() { # the build's own first, then others by name, each once by its real path
  local seen=' ' one path
  for one in "$@"; do
    path=$(command -v "$one" 2>/dev/null) || continue
    path=$(readlink -f "$path")
    case $seen in *" $path "*) continue ;; esac
    seen="$seen$path "
    echo "$one"
  done
}

for compiler in $(compilers_of "$cc" gcc clang clang-19); do
  for std in c99 c11 c17; do check "$compiler" $std "$work/use.c" -Wstrict-prototypes; done
  for std in c2x c23; do
    if supports "$compiler" $std c; then check "$compiler" $std "$work/use.c" -Wstrict-prototypes; fi
  done
done
for compiler in $(compilers_of "$cxx" g++ clang++ clang++-19); do
  for std in c++11 c++14 c++17 c++20 c++2b; do check "$compiler" $std "$work/use.cpp"; done
  if [ -e "$include/vastmax/vastmax.hpp" ]; then
    echo '#include <vastmax/vastmax.hpp>' >"$work/wrapper.cpp"
    for std in c++20 c++2b; do check "$compiler" $std "$work/wrapper.cpp"; done
  fi
done
echo "vastmax.h: $checked combinations of compiler and standard compile without a warning"
