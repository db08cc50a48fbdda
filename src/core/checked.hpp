// SPDX-License-Identifier: Apache-2.0
// Arithmetic on sizes that come from a caller.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vmx {

// False if the result does not fit; *result is unspecified then.
[[nodiscard]] inline bool checked_mul(int64_t a, int64_t b, int64_t* result) {
  return !__builtin_mul_overflow(a, b, result);
}
[[nodiscard]] inline bool checked_add(int64_t a, int64_t b, int64_t* result) {
  return !__builtin_add_overflow(a, b, result);
}
[[nodiscard]] inline bool checked_sub(int64_t a, int64_t b, int64_t* result) {
  return !__builtin_sub_overflow(a, b, result);
}

// Sizes of memory stick at SIZE_MAX, which no allocator serves.
inline size_t saturating_add(size_t a, size_t b) {
  size_t result;
  return __builtin_add_overflow(a, b, &result) ? SIZE_MAX : result;
}
inline size_t saturating_mul(size_t a, size_t b) {
  size_t result;
  return __builtin_mul_overflow(a, b, &result) ? SIZE_MAX : result;
}

}  // namespace vmx
