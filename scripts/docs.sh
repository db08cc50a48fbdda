#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the documentation site into build/docs/html, and checks the code blocks of its pages; warnings are errors.
#   scripts/docs.sh [--no-blocks] [--no-rustdoc]
#     --no-blocks    without docs/check_blocks.py, where another step runs it
#     --no-rustdoc   without the pages that cargo doc makes
# VASTMAX_BUILD names a build folder of the library (default: build/release), or a prefix that it was installed in. PYTHON is a Python that
# has the vastmax binding (and PyTorch, for the blocks that use it); without one both are installed into build/docs/venv (minutes). Needs what scripts/setup.sh installs;
# installs Sphinx and its parts with apt on Debian and Ubuntu.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
blocks=yes rustdoc=yes
for argument in "$@"; do
  case $argument in
  --no-blocks) blocks=no ;;
  --no-rustdoc) rustdoc=no ;;
  -h | --help) sed -n '3,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "docs.sh: unknown option $argument (see --help)" >&2; exit 2 ;;
  esac
done

# Packages belong to the system's own Python.
system_python=python3
if [ -x /usr/bin/python3 ]; then system_python=/usr/bin/python3; fi
has_sphinx() { $system_python -c 'import sphinx, myst_parser, furo, pycparser' 2>/dev/null; }
if ! has_sphinx; then
  packages=(python3-sphinx python3-myst-parser furo python3-pycparser)
  if ! command -v apt-get >/dev/null; then
    echo "docs.sh: please install Sphinx, myst-parser, furo and pycparser" >&2
    exit 1
  fi
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi
  install() { ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${packages[@]}"; }
  install || { ${as_root[@]+"${as_root[@]}"} apt-get -q update && install; }
  has_sphinx || { echo "docs.sh: Sphinx, myst-parser, furo or pycparser is still missing" >&2; exit 1; }
fi

build=$(cd "${VASTMAX_BUILD:-build/release}" && pwd)
library=$(find -L "$build" -maxdepth 3 -name libvastmax.so -print -quit)
[ -n "$library" ] || { echo "docs.sh: no libvastmax.so in $build" >&2; exit 1; }
libdir=$(dirname "$library")
mkdir -p build/docs

python=${PYTHON:-python3}
if ! "$python" -c 'import vastmax' 2>/dev/null; then
  echo "== docs: the Python binding, for its docstrings"
  "$python" -m venv build/docs/venv
  python=$root/build/docs/venv/bin/python
  "$python" -m pip install --quiet ./bindings/python numpy torch
fi

echo "== docs: measuring the accuracy"
"${CC:-cc}" -O2 -std=c99 -Wall -Wextra -Wpedantic -Werror -Iinclude docs/site/accuracy.c -o build/docs/accuracy -L"$libdir" -lvastmax \
  -Wl,-rpath,"$libdir" -lm
build/docs/accuracy >build/docs/accuracy.md

echo "== docs: pages"
"$python" docs/site/python_api.py build/docs/python_api.rst
$system_python docs/site/prepare.py build/docs/source --accuracy build/docs/accuracy.md --python-api build/docs/python_api.rst
if [ $rustdoc = yes ]; then
  # As docs.rs does: without the library, which would be compiled for it.
  DOCS_RS=1 cargo doc --quiet --no-deps --manifest-path bindings/rust/Cargo.toml --target-dir build/docs/rust -p vastmax -p vastmax-sys
  mkdir -p build/docs/source/extra/rustdoc
  cp -r build/docs/rust/doc/. build/docs/source/extra/rustdoc/
  printf '\n## All functions\n\nThe pages of rustdoc: <a href="../rustdoc/vastmax/index.html">vastmax</a>, <a href="../rustdoc/vastmax_sys/index.html">vastmax-sys</a>.\n' \
    >>build/docs/source/languages/rust.md
fi
rm -rf build/docs/html
$system_python -m sphinx -W --keep-going -q -b html -d build/docs/doctrees build/docs/source build/docs/html
echo "== docs: build/docs/html/index.html"

if [ $blocks = yes ]; then
  VASTMAX_BUILD=$build PYTHON=$python $system_python docs/check_blocks.py
fi
