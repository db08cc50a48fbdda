// SPDX-License-Identifier: Apache-2.0
// Losses that are a sum over single scores: softplus (NCE, negative sampling, BPR) and hinge (CCL), with their slopes.
#pragma once

#include "core/term_sum.hpp"
#include "folds/exp_write.hpp"
#include "folds/lse.hpp"

namespace vmx {
namespace {

// log(1 + t) for t in [0, 1]: 2 atanh(t/(2+t)), by a polynomial in the square of the quotient with a relative error of 0.08 u;
// about 2 ULP with the roundings.
inline F log1p_unit(F t) {
  const F s = t / (t + F(2.0f)), v = s * s;
  const F p = fma(fma(fma(F(0.1400337517261505f), v, F(0.1400151401758194f)), v, F(0.20010718703269958f)), v,
                  F(0.3333320915699005f));
  const F twice = s + s;
  return fma(twice, v * p, twice);
}

// By the sign bit.
inline F where_positive(F x, F v) { return where_greater(as_int(x), I(-1), v); }
inline F where_negative(F x, F v) { return where_greater(I(0), as_int(x), v); }

/// log(1 + e^(score - shift)), and as slope the logistic function. -inf gives 0 and 0.
struct Softplus {
  F shift;
  ExpWrite<true> exponential;

  /// params: of T = 1.
  Softplus(const ExpParams& params, float minus) : shift(minus), exponential(params, unit()) {}

  [[gnu::always_inline]] F operator()(F score, F* slope) const {
    const F x = score - shift, one(1.0f);
    const F t = exponential(as_float(bit_or(as_int(x), I(INT32_MIN))));  // e^-|x|
    *slope = as_float(bit_or(as_int(where_positive(x, one)), as_int(where_negative(x, t)))) / (one + t);
    return where_positive(x, x) + log1p_unit(t);
  }

 private:
  static RowScale unit() {
    RowScale row{};
    row.scale = 1.0;
    row.narrow = true;
    return row;
  }
};

/// max(0, score - margin), and its slope.
struct Hinge {
  F margin;

  explicit Hinge(float m) : margin(m) {}

  [[gnu::always_inline]] F operator()(F score, F* slope) const {
    const F v = score - margin;
    *slope = where_greater(as_int(v), I(0), F(1.0f));
    return where_greater(as_int(v), I(0), v);
  }
};

/// Adds term(x[i]) to out.sum and the slopes to out.slopes, and writes factor * slope to g, which may be NULL; more: adds it to
/// what is there. x is not g.
template <class Term>
inline void sum_terms(const float* x, int64_t n, const Term& term, float factor, bool more, float* g, TermSum& out) {
  const F by(factor), lowest(-0x1.fffffep+127f);
  F odd(0.0f);
  for (int64_t c = 0; c < n; c += kBlock) {
    alignas(64) float lanes[kLanes] = {}, slope_lanes[kLanes] = {};
    alignas(64) float staged[kQuad];
    const int64_t columns = n - c < kBlock ? n - c : kBlock;
    for_each_quad(x + c, columns, -1, [&](const float* quad, int64_t first, int64_t have) {
      float* const to = !g ? nullptr : have == kQuad ? g + c + first : staged;
      if (to == staged && more) {
        std::memset(staged, 0, sizeof staged);
        std::memcpy(staged, g + c + first, static_cast<size_t>(have) * sizeof(float));
      }
      const auto value = [&](int i, F* slope) __attribute__((always_inline)) {
        const F score = load(quad + i), w = max_or_b(lowest, score);
        odd = odd + (w - w);
        const F v = term(score, slope);
        if (to) store(to + i, flush(more ? load(to + i) + by * *slope : by * *slope));
        return v;
      };
      for (int i = 0; i < kLanes; i += kW) {
        F v[4], slope[4];
#pragma GCC unroll 4
        for (int row = 0; row < 4; ++row) v[row] = value(i + row * kLanes, &slope[row]);
        store(lanes + i, load(lanes + i) + ((v[0] + v[1]) + (v[2] + v[3])));
        store(slope_lanes + i, load(slope_lanes + i) + ((slope[0] + slope[1]) + (slope[2] + slope[3])));
      }
      if (to == staged) std::memcpy(g + c + first, staged, static_cast<size_t>(have) * sizeof(float));
    });
    out.sum += sum_lanes(lanes);
    out.slopes += sum_lanes(slope_lanes);
  }
  alignas(64) float seen[kW];
  store(seen, odd);
  for (const float lane : seen) out.odd |= lane != lane;
}

}  // namespace
}  // namespace vmx
