#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Copies the C++ sources into vastmax-sys/vendor, which a published crate carries. Before `cargo package` or `cargo publish`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
vendor=$here/vastmax-sys/vendor
rm -rf "$vendor"
mkdir -p "$vendor"
for part in CMakeLists.txt LICENSE THIRD_PARTY.md cmake include capi src; do
  cp -R "$root/$part" "$vendor/"
done
echo "vendor: $(find "$vendor" -type f | wc -l) files"
