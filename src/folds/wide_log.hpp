// SPDX-License-Identifier: Apache-2.0
// Logarithms in f64 lanes, and the log-probabilities of samplers made of them. As core/scalar_math.cpp: no fma, errors about
// 1 ULP.
#pragma once

#include "folds/wide.hpp"
#include "simd/lanes.hpp"

namespace vmx {
namespace {

/// log(x) + correction for normal x > 0; -inf below 2^-1022.
inline D wide_log_core(D x, D correction) {
  const L bits = as_long(x);
  const L mantissa = bit_or(bit_and(bits, L(0xfffffffffffff)), L(0x3ff0000000000000));
  // 2^52 + the biased exponent, as the bits of an f64.
  const D biased = as_double(bit_or(shift_right<52>(bits), L(0x4330000000000000))) - D(0x1p52);
  const D m = as_double(mantissa), root(1.4142135623730951);
  const D f = select_at_least(m, root, m * D(0.5), m) - D(1.0);
  const D n = biased - select_at_least(m, root, D(1022.0), D(1023.0));
  // log((1+s)/(1-s)): the odd series to s^23.
  const D s = f / (D(2.0) + f), z = s * s;
  D q(1.0 / 23.0);
  q = q * z + D(1.0 / 21.0);
  q = q * z + D(1.0 / 19.0);
  q = q * z + D(1.0 / 17.0);
  q = q * z + D(1.0 / 15.0);
  q = q * z + D(1.0 / 13.0);
  q = q * z + D(1.0 / 11.0);
  q = q * z + D(1.0 / 9.0);
  q = q * z + D(1.0 / 7.0);
  q = q * z + D(1.0 / 5.0);
  q = q * z + D(1.0 / 3.0);
  const D h = D(0.5) * f * f;
  const D tail = s * (h + D(2.0) * z * q) - h;
  const D value = n * D(kLn2Hi) + (f + ((tail + correction) + n * D(kLn2Lo)));
  return select_at_least(x, D(0x1p-1022), value, D(-__builtin_inf()));
}
inline D wide_log(D x) { return wide_log_core(x, D(0.0)); }

/// log(1 + x) for x >= -1.
inline D wide_log1p(D x) {
  const D y = D(1.0) + x;
  // What the sum lost, relative to it.
  const D lost = select_at_least(x, D(1.0), D(1.0) - (y - x), x - (y - D(1.0)));
  return wide_log_core(y, lost / y);
}

/// e^x - 1 for x <= 0.
inline D wide_expm1(D x) {
  const D t = max_or_b(x, D(-50.0));  // -1 already
  const D magic(6755399441055744.0);
  const D n = (t * D(kLog2e) + magic) - magic;
  const D r = (t - n * D(kLn2Hi)) - n * D(kLn2Lo);
  D q(1.0 / 6227020800.0);
  q = q * r + D(1.0 / 479001600.0);
  q = q * r + D(1.0 / 39916800.0);
  q = q * r + D(1.0 / 3628800.0);
  q = q * r + D(1.0 / 362880.0);
  q = q * r + D(1.0 / 40320.0);
  q = q * r + D(1.0 / 5040.0);
  q = q * r + D(1.0 / 720.0);
  q = q * r + D(1.0 / 120.0);
  q = q * r + D(1.0 / 24.0);
  q = q * r + D(1.0 / 6.0);
  q = q * r + D(0.5);
  const D p = exp2_int(n);
  return p * (r + (r * r) * q) + (p - D(1.0));
}

/// out[i] = log(log1p(1/(id + 1))) - log_log: of class ids[i], log_log = log(log(classes + 1)). n a multiple of 8.
inline void log_uniform_log_q(const int32_t* ids, int64_t n, double log_log, double* out) {
  for (int64_t i = 0; i < n; i += kWD) {
    store(out + i, wide_log(wide_log1p(D(1.0) / (load_ids(ids + i) + D(1.0)))) - D(log_log));
  }
}

/// out[i] = log(-expm1(tries log1p(-e^log_q))): of the expected count in `tries` draws without repeats. n a multiple of 8.
/// log_tries: its logarithm.
inline void log_expected_counts(const double* log_q, int64_t n, double tries, double log_tries, double* out) {
  for (int64_t i = 0; i < n; i += kWD) {
    const D l = load(log_q + i);
    const D q = min_or_b(wide_exp(l), D(1.0));
    const D count = wide_expm1(D(tries) * wide_log1p(D(0.0) - q));
    // Where q is so small that tries*q is the count to the last digit; e^l may be 0 there.
    store(out + i, select_at_least(l, D(-200.0), wide_log(D(0.0) - count), l + D(log_tries)));
  }
}

/// y[i] = log(x[i]); -inf below 2^-1022. n a multiple of 8.
inline void log_f64(const double* x, double* y, int64_t n) {
  for (int64_t i = 0; i < n; i += kWD) store(y + i, wide_log(load(x + i)));
}

/// y[i] = e^x[i] for x <= 0; +0 below -708. n a multiple of 8.
inline void exp_f64(const double* x, double* y, int64_t n) {
  for (int64_t i = 0; i < n; i += kWD) store(y + i, wide_exp(load(x + i)));
}

}  // namespace
}  // namespace vmx
