// SPDX-License-Identifier: Apache-2.0
// exp for what is written out: at most 1 ULP; two-step reduction, as in exp_sum.hpp. The row's factor is in the table of
// 2^(i/4), which has a second part for what f32 loses; a result below 2^-126 becomes +0 by an integer comparison.
#pragma once

#include "core/exp_params.hpp"
#include "core/row_scale.hpp"
#include "folds/exp_sum.hpp"
#include "simd/lanes.hpp"

namespace vmx {
namespace {

/// kUnit: T = 1, so k1 is 1. f(const ExpWrite<...>&) is called with the right one by with_exp_write.
template <bool kUnit>
struct ExpWrite {
  F low, per, magic, step_hi, step_lo, k1, k2, k3, k4, table_hi, table_lo;
  I sign, smallest, without_index;

  ExpWrite(const ExpParams& p, const RowScale& row)
      : low(static_cast<float>((row.exponent - 160) / p.log2e_hi)),
        per(p.per4),
        magic(kRoundMagic - static_cast<float>(4 * row.exponent)),
        step_hi(-p.step_hi),
        step_lo(-p.step_lo),
        k1(p.poly[0]),
        k2(p.poly[1]),
        k3(p.poly[2]),
        k4(p.poly[3]),
        table_hi(0.0f),
        table_lo(0.0f),
        sign(static_cast<int32_t>(row.sign)),
        smallest(0x007fffff),
        without_index(~3) {
    float hi[4], lo[4];
    for (int i = 0; i < 4; ++i) {
      const double entry = kExp2Quarters.exact[i] * row.scale;
      hi[i] = static_cast<float>(entry);
      lo[i] = static_cast<float>(entry - static_cast<double>(hi[i]));
    }
    table_hi = load_table4(hi);
    table_lo = load_table4(lo);
  }

  /// Side by side: the chain of one register is long, and what waits fills the CPU's queue.
  template <int kCount>
  [[gnu::always_inline]] void apply(F (&x)[kCount]) const {
    F k[kCount], r[kCount], q[kCount];
    I bits[kCount];
#define VMX_EACH _Pragma("GCC unroll 8") for (int i = 0; i < kCount; ++i)
    VMX_EACH x[i] = max_or_b(low, x[i]);
    VMX_EACH k[i] = fma(x[i], per, magic);
    VMX_EACH bits[i] = as_int(k[i]);
    VMX_EACH k[i] = k[i] - magic;
    VMX_EACH r[i] = fma(k[i], step_hi, x[i]);
    VMX_EACH r[i] = fma(k[i], step_lo, r[i]);
    VMX_EACH q[i] = fma(k4, r[i], k3);
    VMX_EACH q[i] = fma(q[i], r[i], k2);
    if constexpr (kUnit) {
      VMX_EACH q[i] = fma(q[i], r[i] * r[i], r[i]);
    } else {
      VMX_EACH q[i] = fma(q[i], r[i] * r[i], k1 * r[i]);
    }
    VMX_EACH k[i] = lookup4(table_hi, bits[i]);
    VMX_EACH q[i] = k[i] + fma(k[i], q[i], lookup4(table_lo, bits[i]));
    VMX_EACH {
      const I value = add(as_int(q[i]), shift_left<21>(bit_and(bits[i], without_index)));
      x[i] = where_greater(value, smallest, as_float(bit_or(value, sign)));
    }
#undef VMX_EACH
  }

  [[gnu::always_inline]] F operator()(F score) const {
    F x[1] = {score};
    apply(x);
    return x[0];
  }
};

template <class Function>
inline void with_exp_write(const ExpParams& params, const RowScale& row, Function&& f) {
  if (params.plain) {
    f(ExpWrite<true>(params, row));
  } else {
    f(ExpWrite<false>(params, row));
  }
}

}  // namespace
}  // namespace vmx
