// SPDX-License-Identifier: Apache-2.0
#include "ops/linear_tasks.hpp"

namespace vmx {

vmx_status fail_memory_limit(size_t limit, size_t needed) {
  return fail(VMX_ERR_VALUE, "linear.memory_limit is %zu bytes, but this call needs at least %zu", limit, needed);
}

}  // namespace vmx
