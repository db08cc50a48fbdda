// SPDX-License-Identifier: Apache-2.0
// The elementary functions that finish a row, in f64 with additions, multiplications and divisions alone: no libm, no fma,
// so the same bits from any compiler, for any ISA. Errors are below 1 ULP unless said otherwise.
#pragma once

#include <bit>
#include <cstdint>

namespace vmx {

inline constexpr double kLn2Hi = 0x1.62e42fefa38p-1;         // 42 bits: n * kLn2Hi is exact for |n| < 2^11
inline constexpr double kLn2Lo = 0x1.ef35793c7673p-45;       // ln 2 - kLn2Hi
inline constexpr double kLog2e = 0x1.71547652b82fep+0;
inline constexpr double kLog2eLo = 0x1.777d0ffda0d24p-56;    // log2(e) - kLog2e

/// To the nearest integer, ties to even, for any finite x.
inline double round_to_int(double x) {
  constexpr double magic = 6755399441055744.0;  // 1.5 * 2^52
  if (!(x < 4503599627370496.0 && x > -4503599627370496.0)) return x;
  return (x + magic) - magic;
}

/// a * b = product + error exactly (Dekker 1971, Veltkamp splitting); |a|, |b| < 2^996.
struct Product {
  double value, error;
};
inline Product exact_product(double a, double b) {
  constexpr double splitter = 134217729.0;  // 2^27 + 1
  const double ta = splitter * a, ah = ta - (ta - a), al = a - ah;
  const double tb = splitter * b, bh = tb - (tb - b), bl = b - bh;
  const double p = a * b;
  return {p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
}

/// value * log2(e)/T = exponent + fraction, |fraction| <= 1/2, the quotient given in two parts; |value/T| <= 2^60.
struct Power {
  int64_t exponent;
  double fraction;
};
Power power_of_two_part(double value, double per_hi, double per_lo);
/// 2^f for |f| <= 1/2
double scalar_exp2_fraction(double f);
/// e^x; 0 below -745, +inf above 709.78; NaN gives NaN.
double scalar_exp(double x);
/// e^x - 1 and log(1 + x) keep their digits near 0.
double scalar_expm1(double x);
/// Natural logarithm; -inf for 0, NaN below.
double scalar_log(double x);
double scalar_log1p(double x);
/// log(value * 2^exponent) for value in [1, 2).
double scalar_log_scaled(double value, int64_t exponent);
/// log(1 + e^x)
double scalar_softplus(double x);
double scalar_tanh(double x);

}  // namespace vmx
