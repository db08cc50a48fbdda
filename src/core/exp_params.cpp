// SPDX-License-Identifier: Apache-2.0
#include "core/exp_params.hpp"

#include "core/scalar_math.hpp"

namespace vmx {
namespace {

// Minimax in relative error, the constant term 1: (k2, k3) on |r| <= ln2/32 and degree 6 on |r| <= ln2/2 (3e-9).
constexpr double kSumPoly[3] = {1.0, 0.500016, 0.1666672};
constexpr double kExpPoly[6] = {1.0,
                                0.4999999403953552,
                                0.1666652113199234,
                                0.04166838899254799,
                                0.008368710055947304,
                                0.001381461275741458};

void scale_poly(const double* poly, int degree, double inverse, float* out) {
  double power = 1.0;
  for (int i = 0; i < degree; ++i) {
    power *= inverse;
    out[i] = static_cast<float>(poly[i] * power);
  }
}

void split_f32(double hi, double lo, float* out_hi, float* out_lo) {
  *out_hi = static_cast<float>(hi);
  *out_lo = static_cast<float>((hi - static_cast<double>(*out_hi)) + lo);
}

}  // namespace

ExpParams make_exp_params(float temperature, bool precise) {
  constexpr double ln2 = 0x1.62e42fefa39efp-1, ln2_lo = 0x1.abc9e3b39803fp-56;
  ExpParams p{};
  const double t = static_cast<double>(temperature), inverse = 1.0 / t;
  p.temperature = t;
  p.inverse = inverse;
  const Product unit = exact_product(t, inverse);
  p.inverse_lo = ((1.0 - unit.value) - unit.error) * inverse;
  p.plain = temperature == 1.0f;
  p.narrow = t >= 0x1p-16 && t <= 0x1p16;
  p.precise = precise;
  if (p.narrow) {
    p.per16 = static_cast<float>(16.0 * kLog2e * inverse);
    p.exp_per = static_cast<float>(kLog2e * inverse);
    // t is an f32, so t * ln2 needs the second part only for what f64 lost.
    const Product c = exact_product(t, ln2);
    const double c_lo = c.error + t * ln2_lo;
    split_f32(c.value, c_lo, &p.exp_step_hi, &p.exp_step_lo);
    split_f32(c.value * 0.0625, c_lo * 0.0625, &p.step_hi, &p.step_lo);
    scale_poly(kSumPoly, 3, inverse, p.sum_poly);
    scale_poly(kExpPoly, 6, inverse, p.exp_poly);
  }
  // log2(e)/T to about 100 bits: the quotient and one Newton step for what it lost.
  const double hi = kLog2e / t;
  const Product back = exact_product(hi, t);
  p.log2e_hi = hi;
  p.log2e_lo = (((kLog2e - back.value) - back.error) + kLog2eLo) / t;
  return p;
}

}  // namespace vmx
