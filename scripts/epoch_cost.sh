#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Does the time of an epoch depend on the number of items? Trains on synthetic data with the same number of users and
# interactions and more and more items, and prints seconds an epoch. Setting up the tables and evaluation are not counted.
#   scripts/epoch_cost.sh [option of `vastmax train` ...]
# VASTMAX_ITEMS="10000 100000 1000000 10000000" names the numbers of items; 10^7 items with --dim 64 need 11 GB.
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-} in
-h | --help) sed -n '3,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac

scripts/setup.sh
cmake --preset release >/dev/null
cmake --build --preset release --target vastmax_tool -j "$(nproc)"

report=$(mktemp)
trap 'rm -f "$report"' EXIT
printf '%10s  %12s  %s\n' items interactions 's an epoch (least of 5)'
for items in ${VASTMAX_ITEMS:-10000 100000 1000000 10000000}; do
  build/release/bin/vastmax train --data "synthetic:20000,$items,4" --loss sampled_softmax --epochs 5 --validation 0 --no-test \
    --json "$report" "$@" >/dev/null
  python3 - "$report" <<'PY'
import json, sys
report = json.load(open(sys.argv[1]))
data = report["data"]
print(f"{data['items']:10}  {data['train']:12}  {min(e['seconds'] for e in report['epochs']):.3f}")
PY
done
