// SPDX-License-Identifier: Apache-2.0
// The wide tier: exp((z - m)/T) in f64, for f64 scores, very large scores, extreme temperatures and VMX_PRECISE.
// Products and sums without fma: the scalar target needs none, and no bits depend on one.
#pragma once

#include "core/exp_params.hpp"
#include "core/scalar_math.hpp"
#include "folds/quads.hpp"

namespace vmx {
namespace {

/// (e^r - 1 - r) / r^2 for |r| <= ln2/2: Taylor to degree 13, 0.04 u at the ends. Real: D, or several of them.
template <class Real>
[[gnu::always_inline]] inline Real wide_exp_series(Real r) {
  Real q(1.0 / 6227020800.0);
  q = q * r + Real(1.0 / 479001600.0);
  q = q * r + Real(1.0 / 39916800.0);
  q = q * r + Real(1.0 / 3628800.0);
  q = q * r + Real(1.0 / 362880.0);
  q = q * r + Real(1.0 / 40320.0);
  q = q * r + Real(1.0 / 5040.0);
  q = q * r + Real(1.0 / 720.0);
  q = q * r + Real(1.0 / 120.0);
  q = q * r + Real(1.0 / 24.0);
  q = q * r + Real(1.0 / 6.0);
  return q * r + Real(0.5);
}

/// e^t for t <= 0, at most 1 ULP; +0 below -708.
template <class Real>
[[gnu::always_inline]] inline Real wide_exp(Real t) {
  const Real floor(-708.0);
  const Real x = max_or_b(t, floor);
  const Real magic(6755399441055744.0);
  const Real n = (x * Real(kLog2e) + magic) - magic;
  const Real r = (x - n * Real(kLn2Hi)) - n * Real(kLn2Lo);
  const Real p = Real(1.0) + (r + (r * r) * wide_exp_series(r));
  return where_at_least(t, floor, p * exp2_int(n));
}

// a + b = sum + error exactly (Knuth).
struct TwoSum {
  D sum, error;
};
inline TwoSum two_sum(D a, D b) {
  const D s = a + b, t = s - a;
  return {s, (a - (s - t)) + (b - t)};
}

// The error of the product p = a * b (Dekker, Veltkamp splitting).
inline D product_error(D a, D b, D p) {
  const D splitter(134217729.0);
  const D ta = splitter * a, ah = ta - (ta - a), al = a - ah;
  const D tb = splitter * b, bh = tb - (tb - b), bl = b - bh;
  return ((ah * bh - p) + ah * bl + al * bh) + al * bl;
}

/// (z - m)/T as value + lost. By halves: z - m may overflow where the quotient does not.
/// Exact: lost is what the subtraction and the division by T round away. Else one division, which at T = 1 rounds nothing.
template <bool kExact>
struct WideQuotient {
  D max, temperature, inverse, inverse_lo;

  WideQuotient(const ExpParams& p, double m)
      : max(0.5 * m), temperature(0.5 * p.temperature), inverse(2.0 * p.inverse), inverse_lo(2.0 * p.inverse_lo) {}

  struct Parts {
    D value, lost;
  };
  Parts operator()(D z) const {
    const D half = z * D(0.5);
    if constexpr (!kExact) return {(half - max) / temperature, D(0.0)};
    const TwoSum delta = two_sum(half, D(0.0) - max);
    const D t = delta.sum * inverse;
    const D lost = product_error(delta.sum, inverse, t) + (delta.sum * inverse_lo + delta.error * inverse);
    // Far below, the splitting of the product would overflow and nothing is left to correct.
    return {t, where_at_least(delta.sum, D(-0x1p900), lost)};
  }
};

/// exp((z - m)/T).
template <bool kExact>
struct WideExp {
  WideQuotient<kExact> quotient;

  WideExp(const ExpParams& p, double m) : quotient(p, m) {}

  D operator()(D z) const {
    const auto t = quotient(z);
    const D e = wide_exp(t.value);
    if constexpr (kExact) return e + e * t.lost;
    return e;
  }
};

/// Whether f64 scores need the exact quotient to meet the bounds: with VMX_PRECISE, and where T adds a rounding.
inline bool wants_exact(const ExpParams& p) { return p.precise || p.temperature != 1.0; }

}  // namespace
}  // namespace vmx
