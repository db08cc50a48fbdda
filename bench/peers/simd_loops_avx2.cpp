// SPDX-License-Identifier: Apache-2.0
#define LOOPS_NAME simd_loops_avx2
#include "peers/simd_loops.inc"
