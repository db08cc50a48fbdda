#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sets up, builds and runs all tests: GCC (everything), address and undefined-behaviour sanitizers (the tests labelled
# sanitize), thread sanitizer (threads), Clang 19 (bits: the same hashes), then the bindings on what GCC built and the
# documentation, in one run of ctest at the end.
#   scripts/test.sh [--quick] [-j N]
#     --quick   GCC alone, and no bindings
#     -j N      jobs at a time (default: the number of CPUs)
set -euo pipefail
cd "$(dirname "$0")/.."

quick=no jobs=$(nproc)
while [ $# -gt 0 ]; do
  case $1 in
  --quick) quick=yes ;;
  -j) jobs=${2:?"-j needs a number"}; shift ;;
  -j[0-9]*) jobs=${1#-j} ;;
  -h | --help) sed -n '3,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "test.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
  esac
  shift
done

presets=(dev)
if [ $quick = yes ]; then
  scripts/setup.sh
else
  scripts/setup.sh --clang --languages
  presets+=(asan tsan)
  if command -v clang++-19 >/dev/null; then
    presets+=(clang)
  else
    echo "test.sh: no Clang 19 on this system: that part is left out" >&2
  fi
fi

for preset in "${presets[@]}"; do
  started=$SECONDS
  echo "== build/$preset"
  cmake --preset "$preset" >/dev/null
  cmake --build --preset "$preset" -j "$jobs"
  echo "== build/$preset took $((SECONDS - started)) s"
done

# All builds under one roof, so that one run tells the whole result.
mkdir -p build/tests
for preset in "${presets[@]}"; do
  echo "subdirs(\"$PWD/build/$preset\")"
done >build/tests/CTestTestfile.cmake
if [ $quick = no ]; then
  cat >>build/tests/CTestTestfile.cmake <<TESTS
add_test(bindings.rust "$PWD/bindings/rust/test.sh")
add_test(bindings.julia "$PWD/bindings/julia/test.sh")
add_test(bindings.python "$PWD/bindings/python/test.sh")
add_test(bindings.together "$PWD/examples/languages/run.sh")
add_test(docs "$PWD/scripts/docs.sh")
set(bindings bindings.rust bindings.julia bindings.python bindings.together docs)
# The slowest first, but for what uses the Python that bindings.python makes.
set_tests_properties(\${bindings} PROPERTIES LABELS bindings TIMEOUT 3600 COST 10000
  ENVIRONMENT "VASTMAX_BUILD=$PWD/build/dev;PYTHON=$PWD/build/python/plain/bin/python")
set_tests_properties(docs PROPERTIES ENVIRONMENT "VASTMAX_BUILD=$PWD/build/dev;PYTHON=$PWD/build/python/torch/bin/python") # some blocks train
set_tests_properties(bindings.together docs PROPERTIES DEPENDS "bindings.python;bindings.rust;bindings.julia")
TESTS
fi
exec ctest --test-dir build/tests --output-on-failure --no-tests=error -j "$jobs"
