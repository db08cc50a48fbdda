// SPDX-License-Identifier: Apache-2.0
// The kernels of one ISA as a table of function pointers, made from kernels.def.
#pragma once

#include "core/block_stats.hpp"
#include "core/exp_params.hpp"
#include "core/gathered.hpp"
#include "core/lse_sum.hpp"
#include "core/philox.hpp"
#include "core/row_scale.hpp"
#include "core/term_sum.hpp"
#include "core/topk_list.hpp"
#include "core/update_params.hpp"

#include <vastmax/vastmax.h>

namespace vmx {

/// Those of one dtype.
struct Kernels {
#define VMX_DTYPE_KERNEL(name, signature) void(*name) signature;
#define VMX_NARROW_KERNEL(name, signature) void(*name) signature;
#define VMX_KERNEL(name, signature)
#include "targets/kernels.def"
#undef VMX_DTYPE_KERNEL
#undef VMX_NARROW_KERNEL
#undef VMX_KERNEL
};

struct KernelTable {
  Kernels f32, bf16, f16, f64;
#define VMX_DTYPE_KERNEL(name, signature)
#define VMX_NARROW_KERNEL(name, signature)
#define VMX_KERNEL(name, signature) void(*name) signature;
#include "targets/kernels.def"
#undef VMX_DTYPE_KERNEL
#undef VMX_NARROW_KERNEL
#undef VMX_KERNEL
};

inline const Kernels& kernels_of(const KernelTable& table, int32_t dtype) {
  return dtype == VMX_BF16 ? table.bf16 : dtype == VMX_F16 ? table.f16 : dtype == VMX_F64 ? table.f64 : table.f32;
}

/// The table of a VMX_ISA_* number; nullptr if this build does not hold it.
const KernelTable* kernel_table(int32_t isa);

}  // namespace vmx
