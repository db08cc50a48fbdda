// SPDX-License-Identifier: Apache-2.0
#define VMX_TARGET_SCALAR
#define VMX_TARGET_NAME scalar
#include "targets/kernels.inc"
