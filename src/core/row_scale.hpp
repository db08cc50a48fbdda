// SPDX-License-Identifier: Apache-2.0
// What the second pass over a row needs: probabilities are exp(x/T) times a factor fixed by the row.
#pragma once

#include <bit>
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

/// The terms of a sum that are kept for the second pass are exp(x/T) * 2^kKeptExponent: scores around 0 stand in the middle of
/// what f32 holds. Terms up to kLeastKept count as 0.
constexpr int32_t kKeptExponent = 40;
constexpr float kLeastKept = 0x1p-123f;

/// What turns a kept term into its probability times the row's factor. False where a term counted as 0 would have become 2^-126
/// or more, and where f32 does not hold the factor.
inline bool kept_factor(const RowScale& row, float* factor) {
  const int32_t exponent = -row.exponent - kKeptExponent;
  if (!row.narrow || exponent > -3 || exponent < -120) return false;
  const float magnitude = static_cast<float>(row.scale * std::bit_cast<double>(int64_t{1023 + exponent} << 52));
  *factor = row.sign ? -magnitude : magnitude;
  return true;
}

/// A row whose terms were kept and are to be written, y = kept * factor, while the next one is folded: its non-temporal stores
/// then go to memory beside arithmetic. As many columns as are folded.
struct KeptWrite {
  const float* kept;
  float* y;
  float factor;
};

/// x/T - lse = fma(x, inverse_hi, -lse_hi) + fma(x, inverse_lo, -lse_lo); wide: ((x - max)/T) - log_sum.
struct RowShift {
  float inverse_hi, inverse_lo, lse_hi, lse_lo;
  bool narrow;
  double max, log_sum;
};

}  // namespace vmx
