// SPDX-License-Identifier: Apache-2.0
// What the second pass over a row needs: probabilities are exp(x/T) times a factor fixed by the row.
#pragma once

#include <cstdint>

namespace vmx {

struct RowScale {
  // narrow: probability * factor = 2^(n - exponent) e^r * scale, scale in [1/2, 1], then the sign
  double scale;
  int32_t exponent;
  uint32_t sign;  // 0 or 0x80000000
  bool narrow;
  // wide: exp((x - max)/T) * wide_scale
  double max, wide_scale;
};

/// x/T - lse = fma(x, inverse_hi, -lse_hi) + fma(x, inverse_lo, -lse_lo); wide: ((x - max)/T) - log_sum.
struct RowShift {
  float inverse_hi, inverse_lo, lse_hi, lse_lo;
  bool narrow;
  double max, log_sum;
};

}  // namespace vmx
