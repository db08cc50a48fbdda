// SPDX-License-Identifier: Apache-2.0
// The tables of all ISAs of this build, made from isa.def.
#pragma once

#include <vastmax/vastmax.h>

namespace vmx {

struct KernelTable;

// The public number of each name that isa.def may use.
namespace isa_number {
inline constexpr int32_t scalar = VMX_ISA_SCALAR, avx2 = VMX_ISA_AVX2, avx512 = VMX_ISA_AVX512;
}

// src/targets/<name>.cpp defines vmx::<name>::table.
#define VMX_ISA(name, flags)      \
  namespace name {                \
  extern const KernelTable table; \
  }
#include "targets/isa.def"
#undef VMX_ISA

}  // namespace vmx
