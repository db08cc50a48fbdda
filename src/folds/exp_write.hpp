// SPDX-License-Identifier: Apache-2.0
// exp for what is written out: at most 1 ULP; two-step reduction, degree 6. The row's integer exponent and its factor enter
// before the exponent is put in, and a result below 2^-126 becomes +0 by an integer comparison.
#pragma once

#include "core/exp_params.hpp"
#include "core/row_scale.hpp"
#include "folds/exp_sum.hpp"
#include "simd/lanes.hpp"

namespace vmx {
namespace {

struct ExpWrite {
  F low, per, magic, step_hi, step_lo, k1, k2, k3, k4, k5, k6, scale;
  I sign, smallest;

  ExpWrite(const ExpParams& p, const RowScale& row)
      : low(static_cast<float>((row.exponent - 160) / p.log2e_hi)),
        per(p.exp_per),
        magic(kRoundMagic - static_cast<float>(row.exponent)),
        step_hi(-p.exp_step_hi),
        step_lo(-p.exp_step_lo),
        k1(p.exp_poly[0]),
        k2(p.exp_poly[1]),
        k3(p.exp_poly[2]),
        k4(p.exp_poly[3]),
        k5(p.exp_poly[4]),
        k6(p.exp_poly[5]),
        scale(row.scale),
        sign(static_cast<int32_t>(row.sign)),
        smallest(0x007fffff) {}

  F operator()(F score) const {
    const F x = max_or_b(low, score);
    const F shifted = fma(x, per, magic);
    const F n = shifted - magic;
    const F r = fma(n, step_lo, fma(n, step_hi, x));
    F p = fma(k6, r, k5);
    p = fma(p, r, k4);
    p = fma(p, r, k3);
    p = fma(p, r, k2);
    p = fma(p, r, k1);
    p = fma(p, r, F(1.0f));
    const I bits = add(as_int(p * scale), shift_left<23>(as_int(shifted)));
    return where_greater(bits, smallest, as_float(bit_or(bits, sign)));
  }
};

}  // namespace
}  // namespace vmx
