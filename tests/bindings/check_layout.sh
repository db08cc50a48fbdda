#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check_layout.sh PROGRAM TABLE: what the program made of bindings/gen/layout.c prints is the committed table.
# After a change of the structs that is meant: PROGRAM >TABLE
set -euo pipefail
program=$1 table=$2
[ -s "$table" ] || { echo "$table is missing or empty"; exit 1; }
diff -u "$table" <("$program") || { echo "the structs have moved: after a change that is meant, $program >$table"; exit 1; }
echo "$(wc -l <"$table") lines of layout agree"
