// SPDX-License-Identifier: Apache-2.0
#include "core/lse_sum.hpp"

namespace vmx {

void LseSum::merge(const LseSum& other) {
  nan |= other.nan;
  inf |= other.inf;
  if (!other.any) return;
  if (!any) {
    const bool had_nan = nan, had_inf = inf;
    *this = other;
    nan |= had_nan;
    inf |= had_inf;
    return;
  }
  // Huge blocks: the larger maximum wins whole, equal ones add their ties. A block that is not huge has max 0, which lies
  // between all huge positive and all huge negative maxima.
  if (huge || other.huge) {
    if (other.max > max) {
      const bool had_nan = nan, had_inf = inf;
      *this = other;
      nan |= had_nan;
      inf |= had_inf;
    } else if (other.max == max) {
      for (int i = 0; i < 3; ++i) digit[i] += other.digit[i];
    }
    return;
  }
  LseSum smaller = other;
  if (smaller.bin > bin) raise(smaller.bin);
  smaller.raise(bin);
  for (int i = 0; i < 3; ++i) digit[i] += smaller.digit[i];
}

ScaledSum scaled(const LseSum& sum) {
  // Every digit sum is below 2^63; the two upper ones fit 104 bits.
  int128 high = (static_cast<int128>(sum.digit[0]) << LseSum::kDigit) + sum.digit[1];
  double value = static_cast<double>(static_cast<int64_t>(high >> 52)) * 0x1p52 +
                 static_cast<double>(static_cast<int64_t>(high & ((int64_t{1} << 52) - 1)));
  value = value * 0x1p40 + static_cast<double>(sum.digit[2]);
  if (value == 0.0) return {0.0, 0};
  const int64_t bits = std::bit_cast<int64_t>(value);
  const int64_t exponent = (bits >> 52) - 1023;
  return {std::bit_cast<double>((bits & 0xfffffffffffff) | 0x3ff0000000000000),
          exponent + LseSum::kDigit * (sum.bin - 2)};
}

}  // namespace vmx
