#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sets up, builds, and trains a recommender with the exact softmax loss: which packages does a Debian package use? Prints
# Recall and NDCG beside those of ranking by popularity, where the time went, and recommendations for three packages.
# Without apt the data are synthetic.
#   scripts/demo.sh [option of `vastmax train` ...]
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-} in
-h | --help) sed -n '3,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac

scripts/setup.sh
echo "== build"
cmake --preset release >/dev/null
cmake --build --preset release --target vastmax_tool -j "$(nproc)"

# The lists of a fresh system or container are empty: only what is installed is known then.
packages() { LC_ALL=C apt-cache dumpavail 2>/dev/null | grep -c '^Package:' || true; }
enough=20000
data=synthetic:20000,10000,16
if command -v apt-cache >/dev/null; then
  if [ "$(packages)" -lt $enough ]; then
    echo "== apt-get update"
    if [ "$(id -u)" -eq 0 ]; then
      apt-get -q update || true
    elif command -v sudo >/dev/null; then
      sudo apt-get -q update || true
    fi
  fi
  if [ "$(packages)" -ge $enough ]; then
    data=debian
  else
    echo "demo.sh: apt knows too few packages, and they could not be updated: synthetic data instead" >&2
  fi
fi

echo "== train"
mkdir -p build/demo
exec build/release/bin/vastmax train --data "$data" --recommend 3 --save build/demo/model.safetensors \
  --json build/demo/report.json "$@"
