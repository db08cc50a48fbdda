// SPDX-License-Identifier: Apache-2.0
#include "core/scalar_math.hpp"

namespace vmx {
namespace {

constexpr double kInf = __builtin_inf();

double power_of_two(int64_t n) { return std::bit_cast<double>((n + 1023) << 52); }

// r^2 times a polynomial: e^r - 1 - r for |r| <= ln2/2, Taylor to degree 13.
double exp_tail(double r) {
  double q = 1.0 / 6227020800.0;
  q = q * r + 1.0 / 479001600.0;
  q = q * r + 1.0 / 39916800.0;
  q = q * r + 1.0 / 3628800.0;
  q = q * r + 1.0 / 362880.0;
  q = q * r + 1.0 / 40320.0;
  q = q * r + 1.0 / 5040.0;
  q = q * r + 1.0 / 720.0;
  q = q * r + 1.0 / 120.0;
  q = q * r + 1.0 / 24.0;
  q = q * r + 1.0 / 6.0;
  q = q * r + 0.5;
  return (r * r) * q;
}

// log(1 + f) - f for f in [sqrt(1/2) - 1, sqrt(2) - 1], by log((1+s)/(1-s)) with s = f/(2+f): the odd series in s to
// s^23, whose remainder is below 2^-58 at |s| = 0.172.
double log_tail(double f) {
  const double s = f / (2.0 + f), z = s * s;
  double q = 1.0 / 23.0;
  q = q * z + 1.0 / 21.0;
  q = q * z + 1.0 / 19.0;
  q = q * z + 1.0 / 17.0;
  q = q * z + 1.0 / 15.0;
  q = q * z + 1.0 / 13.0;
  q = q * z + 1.0 / 11.0;
  q = q * z + 1.0 / 9.0;
  q = q * z + 1.0 / 7.0;
  q = q * z + 1.0 / 5.0;
  q = q * z + 1.0 / 3.0;
  // log(1+f) = 2s + 2 s z q and 2s = f - s f, with h = f^2/2: 2s = f - h + s h ... so the large part f stays exact.
  const double h = 0.5 * f * f;
  return s * (h + 2.0 * z * q) - h;
}

struct Split {
  double mantissa;  // in [sqrt(1/2), sqrt(2))
  int64_t exponent;
};

Split split(double value, int64_t exponent) {
  const bool upper = value >= 1.4142135623730951;
  return upper ? Split{0.5 * value, exponent + 1} : Split{value, exponent};
}

double log_of(Split x, double correction) {
  const double f = x.mantissa - 1.0;
  const double n = static_cast<double>(x.exponent);
  // Exponents of sums exceed those of f64: from 2^11 on the product rounds, from 2^53 on n itself.
  const Product whole = exact_product(n, kLn2Hi);
  const double lost = whole.error + static_cast<double>(x.exponent - static_cast<int64_t>(n)) * kLn2Hi;
  return whole.value + (f + ((log_tail(f) + correction) + (n * kLn2Lo + lost)));
}

}  // namespace

Power power_of_two_part(double value, double per_hi, double per_lo) {
  const Product t = exact_product(value, per_hi);
  const double n = round_to_int(t.value);
  double rest = (t.value - n) + (t.error + value * per_lo);
  const double carry = round_to_int(rest);
  return {static_cast<int64_t>(n) + static_cast<int64_t>(carry), rest - carry};
}

double scalar_exp2_fraction(double f) {
  // f ln2 to twice the digits: its rounding would cost half an ULP more.
  const Product r = exact_product(f, 0x1.62e42fefa39efp-1);
  return 1.0 + (r.value + (exp_tail(r.value) + (r.error + f * 0x1.abc9e3b39803fp-56)));
}

double scalar_exp(double x) {
  if (x != x) return x;
  if (x > 709.782712893384) return kInf;
  if (x < -745.2) return 0.0;
  const double n = round_to_int(x * kLog2e);
  const double r = (x - n * kLn2Hi) - n * kLn2Lo;
  const double p = 1.0 + (r + exp_tail(r));
  const int64_t k = static_cast<int64_t>(n);
  // In two steps at the ends of the exponent range.
  const int64_t half = k / 2;
  return k > 1000 || k < -1000 ? p * power_of_two(half) * power_of_two(k - half) : p * power_of_two(k);
}

double scalar_expm1(double x) {
  if (x != x) return x;
  if (!(x > -40.0 && x < 40.0)) return scalar_exp(x) - 1.0;
  const double n = round_to_int(x * kLog2e);
  const double r = (x - n * kLn2Hi) - n * kLn2Lo;
  const double p = power_of_two(static_cast<int64_t>(n));
  return p * (r + exp_tail(r)) + (p - 1.0);
}

double scalar_log_scaled(double value, int64_t exponent) { return log_of(split(value, exponent), 0.0); }

double scalar_log(double x) {
  if (!(x > 0.0)) return x == 0.0 ? -kInf : __builtin_nan("");
  if (x == kInf) return x;
  int64_t exponent = 0;
  if (x < 0x1p-1022) {
    x *= 0x1p54;
    exponent = -54;
  }
  const int64_t bits = std::bit_cast<int64_t>(x);
  exponent += (bits >> 52) - 1023;
  const double value = std::bit_cast<double>((bits & 0xfffffffffffff) | 0x3ff0000000000000);
  return scalar_log_scaled(value, exponent);
}

double scalar_log1p(double x) {
  if (x != x || x <= -1.0 || x == kInf) return scalar_log(1.0 + x);
  if (x > -0.29 && x < 0.41) return x + log_tail(x);
  const double y = 1.0 + x;
  // What 1 + x lost, relative to y.
  const double lost = x >= 1.0 ? 1.0 - (y - x) : x - (y - 1.0);
  const int64_t bits = std::bit_cast<int64_t>(y);
  const double value = std::bit_cast<double>((bits & 0xfffffffffffff) | 0x3ff0000000000000);
  return log_of(split(value, (bits >> 52) - 1023), lost / y);
}

double scalar_softplus(double x) {
  if (x > 0.0) return x + scalar_log1p(scalar_exp(-x));
  return scalar_log1p(scalar_exp(x));
}

double scalar_tanh(double x) {
  const double a = x < 0.0 ? -x : x;
  if (a > 22.0) return x < 0.0 ? -1.0 : 1.0;
  const double e = scalar_expm1(-2.0 * a);
  const double t = -e / (2.0 + e);
  return x < 0.0 ? -t : t;
}

}  // namespace vmx
