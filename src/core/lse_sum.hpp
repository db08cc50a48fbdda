// SPDX-License-Identifier: Apache-2.0
// The order-free sum of exponentials (docs/numerics.md): three 40-bit digits at absolute bins.
#pragma once

#include <bit>
#include <cstdint>

#include "core/int128.hpp"

namespace vmx {

// add and raise are inlined always: a copy kept in an ISA's object could be the one the linker picks for all.
struct LseSum {
  static constexpr int kDigit = 40;

  int64_t bin = 0;      // absolute number of the highest bin
  int64_t digit[3] = {0, 0, 0};
  double max = 0;       // of the scores while huge; else 0
  bool any = false;     // a term was added
  bool nan = false, inf = false, huge = false;

  /// Adds value * 2^exponent; value finite and > 0, normal.
  [[gnu::always_inline]] void add(double value, int64_t exponent) {
    const uint64_t bits = std::bit_cast<uint64_t>(value);
    const uint64_t mantissa = (bits & ((uint64_t{1} << 52) - 1)) | (uint64_t{1} << 52);
    const int64_t low = static_cast<int64_t>(bits >> 52) - 1023 - 52 + exponent;  // weight of the lowest mantissa bit
    const int64_t top = floor_div(low + 52);
    raise(top);
    const int64_t shift = low - kDigit * (bin - 2);  // place of the lowest bit above the lowest kept bin
    if (shift <= -53) return;
    const uint128 wide = shift >= 0 ? static_cast<uint128>(mantissa) << shift
                                              : static_cast<uint128>(mantissa >> -shift);
    constexpr uint64_t mask = (uint64_t{1} << kDigit) - 1;
    digit[2] += static_cast<int64_t>(static_cast<uint64_t>(wide) & mask);
    digit[1] += static_cast<int64_t>(static_cast<uint64_t>(wide >> kDigit) & mask);
    digit[0] += static_cast<int64_t>(static_cast<uint64_t>(wide >> (2 * kDigit)));
  }

  /// Drops the digits below the three bins under new_bin.
  [[gnu::always_inline]] void raise(int64_t new_bin) {
    if (!any) {
      bin = new_bin;
      any = true;
      return;
    }
    for (; bin < new_bin && (digit[0] | digit[1] | digit[2]) != 0; ++bin) {
      digit[2] = digit[1];
      digit[1] = digit[0];
      digit[0] = 0;
    }
    if (bin < new_bin) bin = new_bin;
  }

  /// Exactly associative and commutative.
  void merge(const LseSum& other);

 private:
  [[gnu::always_inline]] static int64_t floor_div(int64_t e) { return e >= 0 ? e / kDigit : -((kDigit - 1 - e) / kDigit); }
};

/// value * 2^exponent is the sum, value in [1, 2); value 0 if nothing was added.
struct ScaledSum {
  double value;
  int64_t exponent;
};
ScaledSum scaled(const LseSum& sum);

}  // namespace vmx
