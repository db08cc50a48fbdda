#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sets up, builds, measures this machine and vastmax beside its peers, prints one Markdown table and draws one plot.
#   scripts/bench.sh [--quick] [--filter REGEX] [--threads N] [--isa NAME] [--json FILE] [--plot FILE] [--peers python]
#     --quick          fewer shapes and repetitions: less than 3 minutes on 2 cores, once built
#     --filter REGEX   only cases whose name it is found in, e.g. '^softmax_f32/' (build/release/bin/vastmax_bench --list)
#     --threads N      threads of the library and of its peers (default 1)
#     --isa NAME       scalar, avx2 or avx512 instead of the best
#     --json FILE      the rows as JSON (default build/bench/rows.json; this machine's figures go to build/bench/machine.json)
#     --plot FILE      .svg, .png or .pdf (default build/bench/plot.svg and plot.png)
#     --peers python   also PyTorch, TensorFlow, JAX, ONNX Runtime, NumPy and faiss, by pip into build/bench/venv (gigabytes);
#                      PIP_INDEX_URL or PIP_EXTRA_INDEX_URL may name an index that has PyTorch's smaller wheels for CPUs
# Ctrl-C ends the measurement; the rows made so far are reported.
set -euo pipefail
absolute() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac; }

bench=() quick=() threads=1 json='' plots=() python_peers=no
while [ $# -gt 0 ]; do
  case $1 in
  --quick) quick=(--quick) ;;
  --filter | --isa) bench+=("$1" "${2:?"$1 needs a value"}"); shift ;;
  --threads) threads=${2:?"--threads needs a number"}; shift ;;
  --json) json=$(absolute "${2:?"--json needs a file"}"); shift ;;
  --plot) plots+=(--plot "$(absolute "${2:?"--plot needs a file"}")"); shift ;;
  --peers)
    [ "${2:-}" = python ] || { echo "bench.sh: --peers knows only python" >&2; exit 2; }
    python_peers=yes
    shift
    ;;
  -h | --help) sed -n '3,14s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "bench.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
  esac
  shift
done
cd "$(dirname "$0")/.."
out=$PWD/build/bench
mkdir -p "$out"
[ -n "$json" ] || json=$out/rows.json
[ ${#plots[@]} -gt 0 ] || plots=(--plot "$out/plot.svg" --plot "$out/plot.png")

scripts/setup.sh >&2
cmake --preset release >/dev/null
cmake --build --preset release --target vastmax_bench -j "$(nproc)" >&2

# What cannot be installed is told and left out.
system_python=python3
if [ -x /usr/bin/python3 ]; then system_python=/usr/bin/python3; fi
python=$out/venv/bin/python
install() { # install MODULE PACKAGE
  "$python" -c "import importlib.util as u, sys; sys.exit(u.find_spec('$1') is None)" && return
  echo "bench.sh: installing $2" >&2
  "$python" -m pip install -q --disable-pip-version-check "$2" >&2 || echo "bench.sh: no $2: going on without it" >&2
}
if [ ! -x "$python" ]; then "$system_python" -m venv "$out/venv" || python=$system_python; fi
if [ -x "$out/venv/bin/python" ]; then
  install numpy numpy
  install matplotlib matplotlib
  if [ $python_peers = yes ]; then
    for pair in torch:torch tensorflow:tensorflow-cpu jax:jax ml_dtypes:ml_dtypes onnx:onnx onnxruntime:onnxruntime faiss:faiss-cpu; do
      install "${pair%%:*}" "${pair##*:}"
    done
  fi
fi

# OpenBLAS takes CPUs newer than itself for older ones.
if grep -qs avx512vl /proc/cpuinfo; then export OPENBLAS_CORETYPE=${OPENBLAS_CORETYPE:-SkylakeX}; fi

interrupted=no
trap 'interrupted=yes' INT # whoever is running has the signal too, and leaves what it has
status=0
rm -f "$json" "$out/machine.json"
build/release/bin/vastmax_bench ${quick[@]+"${quick[@]}"} --threads "$threads" ${bench[@]+"${bench[@]}"} --json "$json" \
  --machine "$out/machine.json" || status=$?
[ -f "$json" ] || exit "$status"
if [ $python_peers = yes ] && [ $interrupted = no ]; then
  "$python" bench/python/peers.py --json "$json" --machine "$out/machine.json" --threads "$threads" \
    ${quick[@]+"${quick[@]}"} || status=$?
fi
trap - INT
"$python" bench/python/report.py --json "$json" --machine "$out/machine.json" "${plots[@]}" | tee "$out/table.md"
echo "bench.sh: rows in $json; table in $out/table.md" >&2
exit "$status"
