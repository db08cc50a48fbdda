// SPDX-License-Identifier: Apache-2.0
// From a row's finished sum to the constants of its second pass.
#pragma once

#include "ops/scores.hpp"

namespace vmx {

/// For probabilities times factor. row_max(): the maximum of the row's scores, asked for only where the wide tier writes.
template <class RowMax>
RowScale make_row_scale(const LseSum& sum, const RowTemperature& t, bool f64, double factor, RowMax&& row_max);

/// For log-probabilities of a row that is neither empty nor holds NaN or +inf. skipped_max(): where the sum left out the row's
/// maximum (VMX_PRECISE), `sum` holds the others.
RowShift make_row_shift(double lse, const LseSum& sum, const RowTemperature& t, bool f64, double max, bool without_max);

/// Whether the f32 tier serves the second pass of a row with that sum.
bool narrow_writes(const LseSum& sum, const ExpParams& params, bool f64);
/// sum * exp(-max/T), the sum being of scores with another maximum, perhaps: 0 or +inf where they are too far apart.
double relative_sum(const LseSum& sum, const ExpParams& params, double max);
/// {mantissa in [1, 2), exponent} of a positive normal number.
ScaledSum split_positive(double value);

template <class RowMax>
RowScale make_row_scale(const LseSum& sum, const RowTemperature& t, bool f64, double factor, RowMax&& row_max) {
  RowScale row{};
  row.sign = factor < 0 ? 0x80000000u : 0;
  const double magnitude = factor < 0 ? -factor : factor;
  if (narrow_writes(sum, t.params, f64)) {
    const ScaledSum s = scaled(sum);
    if (!(magnitude > 0)) {
      // Everything below the smallest: zeros.
      row.narrow = true;
      row.scale = 0.5;
      row.exponent = static_cast<int32_t>(s.exponent) + 400;
      return row;
    }
    const ScaledSum f = split_positive(magnitude);
    if (f.exponent > -100 && f.exponent < 100) {
      const double quotient = f.value / s.value;  // in (1/2, 2)
      row.narrow = true;
      row.scale = quotient >= 1.0 ? 0.5 * quotient : quotient;
      row.exponent = static_cast<int32_t>(s.exponent - f.exponent - (quotient >= 1.0 ? 1 : 0));
      return row;
    }
  }
  row.max = row_max();
  row.wide_scale = factor / relative_sum(sum, t.params, row.max);
  return row;
}

}  // namespace vmx
