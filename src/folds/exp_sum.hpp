// SPDX-License-Identifier: Apache-2.0
// exp for the terms of a sum: at most (1.1 + 0.05 |x|) ULP in its one-step form.
//   16 x log2(e)/T = k + rest, k an integer: the low four bits of k choose 2^(i/16), the others are the exponent.
#pragma once

#include <bit>

#include "core/exp_params.hpp"
#include "simd/lanes.hpp"

namespace vmx {
namespace {

// Correctly rounded 2^(i/16), less i in the place where the low four bits of k land: adding k << 19 to the bits then adds
// the exponent alone.
struct Exp2Sixteenths {
  alignas(64) float entry[16];
  constexpr Exp2Sixteenths() : entry{} {
    constexpr float exact[16] = {0x1p+0f,        0x1.0b5586p+0f, 0x1.172b84p+0f, 0x1.2387a6p+0f,
                                 0x1.306fep+0f,  0x1.3dea64p+0f, 0x1.4bfdaep+0f, 0x1.5ab07ep+0f,
                                 0x1.6a09e6p+0f, 0x1.7a1148p+0f, 0x1.8ace54p+0f, 0x1.9c4918p+0f,
                                 0x1.ae89fap+0f, 0x1.c199bep+0f, 0x1.d5818ep+0f, 0x1.ea4afap+0f};
    for (int32_t i = 0; i < 16; ++i) entry[i] = std::bit_cast<float>(std::bit_cast<int32_t>(exact[i]) - (i << 19));
  }
};
constexpr Exp2Sixteenths kExp2Sixteenths;

// 1.5 * 2^23: adding it rounds to an integer that stands in the low bits.
constexpr float kRoundMagic = 12582912.0f;

template <bool kTwoStep>
struct ExpSum {
  F per, magic, step_hi, step_lo, k1, k2, k3;
  Table16 table;

  /// reference: the integer N in 2^(n-N); |N| < 2^17.
  ExpSum(const ExpParams& p, int32_t reference)
      : per(p.per16),
        magic(kRoundMagic - static_cast<float>(16 * reference)),
        step_hi(-p.step_hi),
        step_lo(-p.step_lo),
        k1(p.sum_poly[0]),
        k2(p.sum_poly[1]),
        k3(p.sum_poly[2]),
        table(load_table16(kExp2Sixteenths.entry)) {}

  /// 2^(n-N) e^(r/T); the caller keeps n-N within [-125, 127].
  F operator()(F x) const {
    const F shifted = fma(x, per, magic);
    const I low = as_int(shifted);
    const F k = shifted - magic;
    F r = fma(k, step_hi, x);
    if constexpr (kTwoStep) r = fma(k, step_lo, r);
    const F tail = fma(k3, r, k2);
    F q;
    if constexpr (kTwoStep) {
      q = fma(tail, r * r, k1 * r);
    } else {
      q = fma(tail, r * r, r);  // T = 1: k1 is 1
    }
    const F scale = as_float(add(as_int(lookup16(table, low)), shift_left<19>(low)));
    return fma(scale, q, scale);
  }
};

}  // namespace
}  // namespace vmx
