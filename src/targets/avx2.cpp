// SPDX-License-Identifier: Apache-2.0
#define VMX_TARGET_AVX2
#define VMX_TARGET_NAME avx2
#include "targets/kernels.inc"
