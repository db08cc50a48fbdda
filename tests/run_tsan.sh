#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# GCC 12's thread sanitizer fails at start on kernels with many random bits in addresses: turn them off where allowed.
if setarch "$(uname -m)" -R true 2>/dev/null; then
  exec setarch "$(uname -m)" -R "$@"
fi
exec "$@"
