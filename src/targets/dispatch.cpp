// SPDX-License-Identifier: Apache-2.0
#include "targets/dispatch.hpp"

#include "targets/table.hpp"

namespace vmx {

const KernelTable* kernel_table(int32_t isa) {
  switch (isa) {
#define VMX_ISA(name, flags) \
  case isa_number::name: return &name::table;
#include "targets/isa.def"
#undef VMX_ISA
    default: return nullptr;
  }
}

}  // namespace vmx
