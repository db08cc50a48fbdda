// SPDX-License-Identifier: Apache-2.0
#define VMX_TARGET_AVX512
#define VMX_TARGET_NAME avx512
#include "targets/kernels.inc"
