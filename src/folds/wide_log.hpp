// SPDX-License-Identifier: Apache-2.0
// Logarithms in f64 lanes, and the log-probabilities of samplers made of them. As core/scalar_math.cpp: no fma, errors about
// 1 ULP.
#pragma once

#include "folds/wide.hpp"
#include "simd/several.hpp"

namespace vmx {
namespace {

/// log(x) + correction for normal x > 0; -inf below 2^-1022.
[[gnu::always_inline]] inline Ds wide_log_core(Ds x, Ds correction) {
  Ds n, m;
  split_normal(x, &n, &m);
  const Ds root(1.4142135623730951);
  const Ds f = select_at_least(m, root, m * Ds(0.5), m) - Ds(1.0);
  n = select_at_least(m, root, n + Ds(1.0), n);
  // log((1+s)/(1-s)): the odd series to s^23.
  const Ds s = f / (Ds(2.0) + f), z = s * s;
  Ds q(1.0 / 23.0);
  q = q * z + Ds(1.0 / 21.0);
  q = q * z + Ds(1.0 / 19.0);
  q = q * z + Ds(1.0 / 17.0);
  q = q * z + Ds(1.0 / 15.0);
  q = q * z + Ds(1.0 / 13.0);
  q = q * z + Ds(1.0 / 11.0);
  q = q * z + Ds(1.0 / 9.0);
  q = q * z + Ds(1.0 / 7.0);
  q = q * z + Ds(1.0 / 5.0);
  q = q * z + Ds(1.0 / 3.0);
  const Ds h = Ds(0.5) * f * f;
  const Ds tail = s * (h + Ds(2.0) * z * q) - h;
  const Ds value = n * Ds(kLn2Hi) + (f + ((tail + correction) + n * Ds(kLn2Lo)));
  return select_at_least(x, Ds(0x1p-1022), value, Ds(-__builtin_inf()));
}
[[gnu::always_inline]] inline Ds wide_log(Ds x) { return wide_log_core(x, Ds(0.0)); }

/// log(1 + x) for x >= -1.
[[gnu::always_inline]] inline Ds wide_log1p(Ds x) {
  const Ds y = Ds(1.0) + x;
  // What the sum lost, relative to it.
  const Ds lost = select_at_least(x, Ds(1.0), Ds(1.0) - (y - x), x - (y - Ds(1.0)));
  return wide_log_core(y, lost / y);
}

/// e^x - 1 for x <= 0.
[[gnu::always_inline]] inline Ds wide_expm1(Ds x) {
  const Ds t = max_or_b(x, Ds(-50.0));  // -1 already
  const Ds magic(6755399441055744.0);
  const Ds n = (t * Ds(kLog2e) + magic) - magic;
  const Ds r = (t - n * Ds(kLn2Hi)) - n * Ds(kLn2Lo);
  const Ds p = exp2_int(n);
  return p * (r + (r * r) * wide_exp_series(r)) + (p - Ds(1.0));
}

/// out[i] = log(log1p(1/(id + 1))) - log_log: of class ids[i], log_log = log(log(classes + 1)). n a multiple of 64.
inline void log_uniform_log_q(const int32_t* ids, int64_t n, double log_log, double* out) {
  for (int64_t i = 0; i < n; i += kSeveralLanes) {
    Ds id;
#pragma GCC unroll 4
    for (int j = 0; j < kSeveral; ++j) id.v[j] = load_ids(ids + i + j * kWD);
    store_several(out + i, wide_log(wide_log1p(Ds(1.0) / (id + Ds(1.0)))) - Ds(log_log));
  }
}

/// out[i] = log(-expm1(tries log1p(-e^log_q))): of the expected count in `tries` draws without repeats. n a multiple of 64.
/// log_tries: its logarithm.
inline void log_expected_counts(const double* log_q, int64_t n, double tries, double log_tries, double* out) {
  for (int64_t i = 0; i < n; i += kSeveralLanes) {
    const Ds l = load_several(log_q + i);
    const Ds q = min_or_b(wide_exp(l), Ds(1.0));
    const Ds count = wide_expm1(Ds(tries) * wide_log1p(Ds(0.0) - q));
    // Where q is so small that tries*q is the count to the last digit; e^l may be 0 there.
    store_several(out + i, select_at_least(l, Ds(-200.0), wide_log(Ds(0.0) - count), l + Ds(log_tries)));
  }
}

/// y[i] = log(x[i]); -inf below 2^-1022. n a multiple of 64.
inline void log_f64(const double* x, double* y, int64_t n) {
  for (int64_t i = 0; i < n; i += kSeveralLanes) store_several(y + i, wide_log(load_several(x + i)));
}

/// y[i] = e^x[i] for x <= 0; +0 below -708. n a multiple of 64.
inline void exp_f64(const double* x, double* y, int64_t n) {
  for (int64_t i = 0; i < n; i += kSeveralLanes) store_several(y + i, wide_exp(load_several(x + i)));
}

}  // namespace
}  // namespace vmx
