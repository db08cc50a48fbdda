// SPDX-License-Identifier: Apache-2.0
// exp for the terms of a sum: at most (1.1 + 0.05 |x|) ULP in its one-step form.
//   4 x log2(e)/T = k + rest, k an integer: the low two bits of k choose 2^(i/4), the others are the exponent.
// A table of four costs one instruction on every ISA, where sixteen entries cost AVX2 six.
#pragma once

#include <bit>

#include "core/exp_params.hpp"
#include "simd/lanes.hpp"

namespace vmx {
namespace {

// 2^(i/4); the second half again in f32, correctly rounded, less i in the place where the low two bits of k land: adding
// k << 21 to the bits then adds the exponent alone.
struct Exp2Quarters {
  double exact[4] = {1.0, 0x1.306fe0a31b715p+0, 0x1.6a09e667f3bcdp+0, 0x1.ae89f995ad3adp+0};
  alignas(16) float entry[4];
  constexpr Exp2Quarters() : entry{} {
    for (int32_t i = 0; i < 4; ++i) {
      entry[i] = std::bit_cast<float>(std::bit_cast<int32_t>(static_cast<float>(exact[i])) - (i << 21));
    }
  }
};
constexpr Exp2Quarters kExp2Quarters;

// 1.5 * 2^23: adding it rounds to an integer that stands in the low bits.
constexpr float kRoundMagic = 12582912.0f;

template <bool kTwoStep>
struct ExpSum {
  F low, per, magic, step_hi, step_lo, k1, k2, k3, k4, table;

  /// reference: the integer N in 2^(n-N); |N| < 2^17. Scores below `lowest` count as that.
  ExpSum(const ExpParams& p, int32_t reference, float lowest)
      : low(lowest),
        per(p.per4),
        magic(kRoundMagic - static_cast<float>(4 * reference)),
        step_hi(-p.step_hi),
        step_lo(-p.step_lo),
        k1(p.poly[0]),
        k2(p.poly[1]),
        k3(p.poly[2]),
        k4(p.poly[3]),
        table(load_table4(kExp2Quarters.entry)) {}

  /// 2^(n-N) e^(r/T); n-N has to end within [-125, 127]. `top` collects the largest kRoundMagic + k as an integer: beyond
  /// top_of() anything may have come out, and NaN is beyond.
  [[gnu::always_inline]] F operator()(F score, I* top) const {
    const F x = max_or_b(low, score);
    const F shifted = fma(x, per, magic);
    const I bits = as_int(shifted);
    *top = larger_unsigned(*top, bits);
    const F k = shifted - magic;
    F r = fma(k, step_hi, x);
    if constexpr (kTwoStep) r = fma(k, step_lo, r);
    const F tail = fma(fma(k4, r, k3), r, k2);
    F q;
    if constexpr (kTwoStep) {
      q = fma(tail, r * r, k1 * r);
    } else {
      q = fma(tail, r * r, r);  // T = 1: k1 is 1
    }
    const F scale = as_float(add(as_int(lookup4(table, bits)), shift_left<21>(bits)));
    return fma(scale, q, scale);
  }

  /// What `top` is for 2^n.
  static constexpr uint32_t top_of(int32_t n) { return std::bit_cast<uint32_t>(kRoundMagic) + static_cast<uint32_t>(4 * n); }
};

inline uint32_t largest_unsigned(I a) {
  alignas(64) int32_t lane[kW];
  store(lane, a);
  uint32_t largest = 0;
  for (const int32_t value : lane) {
    if (static_cast<uint32_t>(value) > largest) largest = static_cast<uint32_t>(value);
  }
  return largest;
}

}  // namespace
}  // namespace vmx
