#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check_readme.sh README EXAMPLE: the first C code of the README is that example, but for its licence line.
set -euo pipefail
diff -u --label README.md --label "$(basename "$2")" \
  <(awk '/^```c$/ {inside = 1; next} /^```$/ && inside {exit} inside' "$1") <(tail -n +2 "$2")
