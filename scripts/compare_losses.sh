#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Trains with each loss and compares them: Recall@20 and NDCG@20 of the test, the epoch chosen on the validation, time of an
# epoch, and time until 95 % of the best NDCG. Prints a Markdown table for each data set. Each run leaves a JSON report; what is
# there already is not run again, so it may be interrupted at any time.
#   scripts/compare_losses.sh [--data DATA ...] [option ...]      (--help lists them)
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-} in
-h | --help) exec python3 tools/compare_losses.py --help ;;
esac

scripts/setup.sh
cmake --preset release >/dev/null
cmake --build --preset release --target vastmax_tool -j "$(nproc)"
exec python3 tools/compare_losses.py --tool build/release/bin/vastmax "$@"
