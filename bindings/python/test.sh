#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the wheel, installs it into environments of its own under build/python, and runs all tests of the Python binding:
# without PyTorch (pytest, doctests, mypy), then with it (pytest, mypy, the examples).
#   bindings/python/test.sh [--fresh]
#     --fresh   make the environments anew
# VASTMAX_BUILD, a build directory of this repository, gives libvastmax.a; else it is compiled.
# VASTMAX_TORCH, the site-packages of another environment of the same Python, gives PyTorch; else it is fetched from PyPI.
set -euo pipefail
cd "$(dirname "$0")/../.."

fresh=no
case ${1:-} in
'') ;;
--fresh) fresh=yes ;;
*) echo "test.sh: unknown option $1" >&2; exit 2 ;;
esac
root=$PWD
work=$root/build/python
here=$root/bindings/python
if [ $fresh = yes ]; then rm -rf "$work"; fi
mkdir -p "$work"
if [ -n "${VASTMAX_BUILD:-}" ]; then
  VASTMAX_BUILD=$(realpath "$VASTMAX_BUILD")
  export VASTMAX_BUILD
fi
# The system's own Python, which scripts/setup.sh provides with venv.
system=python3
if [ -x /usr/bin/python3 ]; then system=/usr/bin/python3; fi
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1 MYPY_CACHE_DIR=$work/mypy

environment() { # environment NAME: makes it if it is not there
  [ -x "$work/$1/bin/python" ] || $system -m venv "$work/$1"
}
quiet() { "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }; }

if [ -x /usr/bin/python3 ] && /usr/bin/python3 -c 'import pycparser' 2>/dev/null; then
  scripts/gen_bindings --check python
else
  environment gen
  quiet "$work/gen/bin/pip" install -q pycparser
  "$work/gen/bin/python" scripts/gen_bindings --check python
fi

echo "== wheel"
started=$SECONDS
environment build
quiet "$work/build/bin/pip" install -q 'scikit-build-core>=1.1' 'nanobind>=3.1,<4' 'numpy>=2.0'
rm -f "$work"/dist/*.whl
quiet "$work/build/bin/pip" wheel --no-deps --no-build-isolation --config-settings=build-dir="$work/cmake" -w "$work/dist" "$here"
wheel=$(echo "$work"/dist/vastmax-*.whl)
echo "built $(basename "$wheel"), $(du -k "$wheel" | cut -f1) KiB, in $((SECONDS - started)) s"

echo "== an empty environment takes it, and what it needs, and no PyTorch"
environment plain
quiet "$work/plain/bin/pip" uninstall -q -y vastmax
quiet "$work/plain/bin/pip" install -q "$wheel"
(cd "$work" && plain/bin/python -c 'import sys, vastmax; print("vastmax", vastmax.version(), vastmax.isa()); assert "torch" not in sys.modules')
quiet "$work/plain/bin/pip" install -q pytest mypy ml_dtypes
if "$work/plain/bin/python" -c 'import torch' 2>/dev/null; then
  echo "test.sh: $work/plain has PyTorch; it must not" >&2
  exit 1
fi

cd "$here"
common=(-p no:cacheprovider -q --strict-markers)
"$work/plain/bin/python" -m pytest "${common[@]}" tests --ignore tests/torch
"$work/plain/bin/python" -m mypy --strict -p vastmax --exclude 'vastmax/torch'
"$work/plain/bin/python" -m mypy --strict tests/typed.py
"$work/plain/bin/python" examples/write_logits.py 4 1000 1 "$work/logits.bin"
[ "$(stat -c %s "$work/logits.bin")" = 16000 ]

echo "== with PyTorch"
started=$SECONDS
environment torch
if [ -n "${VASTMAX_TORCH:-}" ]; then
  realpath "$VASTMAX_TORCH" >"$(echo "$work"/torch/lib/python3*/site-packages)/torch-elsewhere.pth"
elif ! "$work/torch/bin/python" -c 'import torch' 2>/dev/null; then
  "$work/torch/bin/python" tools/install_torch_cpu.py 2.15.0
  echo "PyTorch took $((SECONDS - started)) s and $(du -sm "$work/torch" | cut -f1) MiB of disk"
fi
quiet "$work/torch/bin/pip" uninstall -q -y vastmax
quiet "$work/torch/bin/pip" install -q "$wheel"
quiet "$work/torch/bin/pip" install -q pytest mypy ml_dtypes
OMP_NUM_THREADS=${OMP_NUM_THREADS:-2} "$work/torch/bin/python" -m pytest "${common[@]}" tests/torch
"$work/torch/bin/python" -m mypy --strict -p vastmax
echo "test.sh: all of Python passed"
