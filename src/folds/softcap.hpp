// SPDX-License-Identifier: Apache-2.0
// Logit soft-cap u = c tanh(z/c) and the factor 1 - tanh^2 of its gradient, in f64 lanes, rounded once to the scores' compute
// dtype (f32, or f64 for f64 scores).
#pragma once

#include "folds/softmax.hpp"

namespace vmx {
namespace {

// tanh(a) for a >= 0 and e^(-2a): by the exponential beyond 0.35, by the odd series of tanh through expm1 below.
struct TanhParts {
  D tanh, one_minus_square;
};
// lost: what the quotient a = |z|/c rounded away, which e^(-2a) would show 2a times over.
inline TanhParts tanh_parts(D a, D lost) {
  const D one(1.0), two(2.0);
  const D rounded = wide_exp(D(-2.0) * a);
  const D e = rounded - two * lost * rounded;
  const D t_large = (one - e) / (one + e);
  // expm1(2a)/(expm1(2a) + 2) with the Taylor series of expm1: 2a <= 0.7, 17 terms reach 2^-56.
  const D x = two * min_or_b(a, D(0.35));
  D q(1.0 / 17.0);
  q = one + x * q;
  for (int k = 16; k >= 2; --k) q = one + x * D(1.0 / k) * q;
  const D m = x * q;
  const D t_small = m / (m + two);
  const D t = select_at_least(a, D(0.35), t_large, t_small);
  const D s = one + e;
  return {t, D(4.0) * e / (s * s)};
}

// |z|/c for the scores' compute dtype: one rounding of f64 is nothing to an f32 result, but all to an f64 one.
template <class T>
struct CapQuotient {
  D cap, inverse;

  explicit CapQuotient(double c) : cap(c), inverse(1.0 / c) {}

  TanhParts tanh(D magnitude) const {
    if constexpr (sizeof(T) < 8) {
      return tanh_parts(magnitude * inverse, D(0.0));
    } else {
      const D a = magnitude / cap, product = a * cap;
      const D lost = ((magnitude - product) - product_error(a, cap, product)) / cap;
      // Beyond, tanh is 1 and its slope 0; the splitting of the product would overflow.
      const D far(0x1p900);
      return tanh_parts(a, where_at_least(far, cap, where_at_least(far, magnitude, lost)));
    }
  }
};

/// u = c tanh(x/c); -inf stays -inf, NaN stays NaN; +inf gives +inf (an error of the caller stays visible).
template <class T, class U>
inline void softcap(const T* x, U* u, int64_t n, double cap) {
  const CapQuotient<T> quotient(cap);
  const D c(cap), zero(0.0), top(0x1.fffffffffffffp+1023);
  for (int64_t i = 0; i < n; i += kWD) {
    alignas(64) T in[kWD];
    alignas(64) double out[kWD];
    const int64_t have = n - i < kWD ? n - i : kWD;
    std::memset(in, 0, sizeof in);
    std::memcpy(in, x + i, static_cast<size_t>(have) * sizeof(T));
    const D z = load_wide(in);
    const D negative = zero - z;
    const D magnitude = select_at_least(z, zero, z, negative);
    const D t = quotient.tanh(magnitude).tanh * c;
    const D capped = select_at_least(z, zero, t, zero - t);
    // Finite scores only: others pass through.
    store(out, select_at_least(top, magnitude, capped, z));
    for (int64_t j = 0; j < have; ++j) u[i + j] = static_cast<U>(out[j]);
  }
}

/// g *= 1 - tanh(x/c)^2; g is f32, or f64 for f64 scores. A masked column keeps its 0.
template <class T, class U>
inline void softcap_gradient(const T* x, U* g, int64_t n, double cap) {
  const CapQuotient<T> quotient(cap);
  const D zero(0.0), top(0x1.fffffffffffffp+1023);
  for (int64_t i = 0; i < n; i += kWD) {
    alignas(64) T in[kWD];
    alignas(64) double grad[kWD] = {};
    const int64_t have = n - i < kWD ? n - i : kWD;
    std::memset(in, 0, sizeof in);
    std::memcpy(in, x + i, static_cast<size_t>(have) * sizeof(T));
    for (int64_t j = 0; j < have; ++j) grad[j] = static_cast<double>(g[i + j]);
    const D z = load_wide(in);
    const D magnitude = select_at_least(z, zero, z, zero - z);
    const D factor = quotient.tanh(magnitude).one_minus_square;
    const D old = load(static_cast<const double*>(grad));
    store(grad, select_at_least(top, magnitude, old * factor, old));
    for (int64_t j = 0; j < have; ++j) {
      const double v = grad[j];
      const bool tiny = v < 0x1p-126 && v > -0x1p-126;
      g[i + j] = sizeof(U) == 4 && tiny ? U(0) : static_cast<U>(v);
    }
  }
}

}  // namespace
}  // namespace vmx
