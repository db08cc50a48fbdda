// SPDX-License-Identifier: Apache-2.0
// Rounding mode, FTZ, DAZ and exception masks of a thread. A call computes under the standard ones, whatever its caller
// has set, and leaves all as it was. A task runs under those of its call, whichever thread takes it.
#pragma once

#include <cstdint>

#if defined(__SSE2__)
#  include <xmmintrin.h>
#endif

namespace vmx {

struct FpMode {
  uint32_t bits = 0;

  static FpMode of_this_thread() noexcept {
#if defined(__SSE2__)
    return {_mm_getcsr() & ~uint32_t{0x3f}};  // without the flags of exceptions that have happened
#else
    return {};
#endif
  }
  // To nearest, subnormals kept, all exceptions masked: what every process starts with.
  static constexpr FpMode standard() noexcept { return {0x1f80}; }
};

// Also puts back the flags of exceptions as they were.
class FpModeScope {
 public:
#if defined(__SSE2__)
  explicit FpModeScope(FpMode mode) noexcept : saved_(_mm_getcsr()) {
    if ((saved_ & ~uint32_t{0x3f}) != mode.bits) _mm_setcsr(mode.bits);
  }
  ~FpModeScope() {
    if (_mm_getcsr() != saved_) _mm_setcsr(saved_);
  }
#else
  explicit FpModeScope(FpMode) noexcept {}
#endif
  FpModeScope(const FpModeScope&) = delete;
  FpModeScope& operator=(const FpModeScope&) = delete;

 private:
#if defined(__SSE2__)
  uint32_t saved_;
#endif
};

}  // namespace vmx
