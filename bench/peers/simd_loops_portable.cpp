// SPDX-License-Identifier: Apache-2.0
#define LOOPS_NAME simd_loops_portable
#include "peers/simd_loops.inc"
