// SPDX-License-Identifier: Apache-2.0
// The kernels of one ISA as a table of function pointers, made from kernels.def.
#pragma once

#include "core/block_stats.hpp"
#include "core/exp_params.hpp"
#include "core/lse_sum.hpp"
#include "core/row_scale.hpp"
#include "core/topk_list.hpp"

namespace vmx {

struct KernelTable {
#define VMX_KERNEL(name, signature) void(*name) signature;
#include "targets/kernels.def"
#undef VMX_KERNEL
};

/// The table of a VMX_ISA_* number; nullptr if this build does not hold it.
const KernelTable* kernel_table(int32_t isa);

}  // namespace vmx
