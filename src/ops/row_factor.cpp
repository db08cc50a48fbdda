// SPDX-License-Identifier: Apache-2.0
#include "ops/row_factor.hpp"

#include "core/scalar_math.hpp"

namespace vmx {
namespace {

// value * 2^exponent for value in [1/2, 2); what leaves the range of f64 becomes 0 or infinity.
double scale_by_power(double value, int64_t exponent) {
  if (exponent > 1000) return __builtin_inf();
  if (exponent < -1000) return 0.0;
  return value * std::bit_cast<double>((exponent + 1023) << 52);
}

}  // namespace

bool narrow_writes(const LseSum& sum, const ExpParams& params, bool f64) {
  if (f64 || !params.narrow || params.precise || sum.huge) return false;
  const ScaledSum s = scaled(sum);
  return s.exponent > -100000 && s.exponent < 100000;
}

double relative_sum(const LseSum& sum, const ExpParams& params, double max) {
  const ScaledSum s = scaled(sum);
  if (sum.huge && sum.max == max) return scale_by_power(s.value, s.exponent);
  // Scores beyond all measure, on one side alone.
  const double scaled_max = max / params.temperature;
  if (sum.huge || scaled_max >= 0x1p60 || scaled_max <= -0x1p60) {
    return (sum.huge ? sum.max : 0.0) > max ? __builtin_inf() : 0.0;
  }
  const Power p = power_of_two_part(max, params.log2e_hi, params.log2e_lo);
  return scale_by_power(s.value * scalar_exp2_fraction(-p.fraction), s.exponent - p.exponent);
}

ScaledSum split_positive(double value) {
  const int64_t bits = std::bit_cast<int64_t>(value);
  return {std::bit_cast<double>((bits & 0xfffffffffffff) | 0x3ff0000000000000), (bits >> 52) - 1023};
}

RowShift make_row_shift(double lse, const LseSum& sum, const RowTemperature& t, bool f64, double max, bool without_max) {
  RowShift row{};
  if (!without_max && narrow_writes(sum, t.params, f64)) {
    row.narrow = true;
    row.inverse_hi = static_cast<float>(t.params.inverse);
    row.inverse_lo = static_cast<float>(t.params.inverse - static_cast<double>(row.inverse_hi));
    row.lse_hi = static_cast<float>(lse);
    row.lse_lo = static_cast<float>(lse - static_cast<double>(row.lse_hi));
    return row;
  }
  row.max = max;
  if (without_max) {
    row.log_sum = sum.any ? scalar_log1p(relative_sum(sum, t.params, max)) : 0.0;
  } else {
    row.log_sum = scalar_log(relative_sum(sum, t.params, max));
  }
  return row;
}

}  // namespace vmx
