// SPDX-License-Identifier: Apache-2.0
#include "core/options.hpp"

#include <algorithm>
#include <cinttypes>

namespace vmx {

vmx_status read_struct(const void* given, const char* name, size_t first_size, size_t known, void* out) {
  const auto* bytes = static_cast<const unsigned char*>(given);
  size_t size;
  std::memcpy(&size, bytes, sizeof size);
  if (size < first_size) {
    return fail(VMX_ERR_STRUCT, "%s.struct_size is %zu, but must be at least %zu", name, size, first_size);
  }
  if (size > kMaxStructSize) {
    return fail(VMX_ERR_STRUCT, "%s.struct_size is %zu: it was not set by the INIT macro or function", name,
                size);
  }
  for (size_t i = known; i < size; ++i) {
    if (bytes[i] != 0) {
      return fail(VMX_ERR_STRUCT,
                  "%s sets fields that this version of vastmax does not know (byte %zu of %zu)", name, i,
                  size);
    }
  }
  std::memset(out, 0, known);
  std::memcpy(out, bytes, std::min(size, known));
  return VMX_OK;
}

vmx_status init_struct(void* options, size_t size, size_t first_size, size_t known, const void* defaults) {
  if (!options) return fail(VMX_ERR_NULL, "the struct to fill is NULL");
  if (size < first_size || size > kMaxStructSize) {
    return fail(VMX_ERR_STRUCT, "size is %zu, but must be from %zu to %zu", size, first_size, kMaxStructSize);
  }
  auto* bytes = static_cast<unsigned char*>(options);
  std::memset(bytes, 0, size);
  std::memcpy(bytes, defaults, std::min(size, known));
  std::memcpy(bytes, &size, sizeof size);
  return VMX_OK;
}

vmx_status check_flags(const char* name, uint32_t flags, uint32_t allowed, int64_t reserved) {
  if (flags & ~allowed) {
    return fail(VMX_ERR_VALUE, "%s.flags has unknown bits 0x%" PRIx32, name, flags & ~allowed);
  }
  if (reserved != 0) return fail(VMX_ERR_VALUE, "%s.reserved is %" PRId64 ", not 0", name, reserved);
  return VMX_OK;
}

}  // namespace vmx
