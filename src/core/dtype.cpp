// SPDX-License-Identifier: Apache-2.0
#include "core/dtype.hpp"

namespace vmx {

const char* dtype_name(int32_t dtype) noexcept {
  switch (dtype) {
    case VMX_F32: return "f32";
    case VMX_BF16: return "bf16";
    case VMX_F16: return "f16";
    case VMX_F64: return "f64";
    case VMX_I32: return "i32";
    case VMX_I64: return "i64";
    default: return "unknown";
  }
}

}  // namespace vmx
