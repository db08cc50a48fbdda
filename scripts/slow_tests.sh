#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the tests labelled slow, which plain ctest and scripts/test.sh leave out. -j N: jobs at a time.
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=$(nproc)
if [ "${1:-}" = -j ]; then jobs=${2:?"-j needs a number"}; fi

scripts/setup.sh
cmake --preset dev >/dev/null
cmake --build --preset dev -j "$jobs"
exec ctest --test-dir build/dev -C slow -L '^slow$' --output-on-failure --no-tests=error -j "$jobs"
