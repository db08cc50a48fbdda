// SPDX-License-Identifier: Apache-2.0
#include "core/exp_params.hpp"

#include "core/scalar_math.hpp"

namespace vmx {
namespace {

// 1 + r k1 + r^2 k2 + ... against e^r on |r| <= ln2/8: minimax in relative error (5.4e-9), each coefficient rounded to f32
// before the next was fitted.
constexpr double kPoly[4] = {1.0, 0.5000001788139343, 0.16672103106975555, 0.04164508730173111};

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
    p.per4 = static_cast<float>(4.0 * kLog2e * inverse);
    // t is an f32, so t * ln2 needs the second part only for what f64 lost.
    const Product c = exact_product(t, ln2);
    const double c_lo = c.error + t * ln2_lo;
    split_f32(c.value * 0.25, c_lo * 0.25, &p.step_hi, &p.step_lo);
    double power = 1.0;
    for (int i = 0; i < 4; ++i) {
      power *= inverse;
      p.poly[i] = static_cast<float>(kPoly[i] * power);
    }
  }
  // log2(e)/T to about 100 bits: the quotient and one Newton step for what it lost.
  const double hi = kLog2e / t;
  const Product back = exact_product(hi, t);
  p.log2e_hi = hi;
  p.log2e_lo = (((kLog2e - back.value) - back.error) + kLog2eLo) / t;
  return p;
}

}  // namespace vmx
