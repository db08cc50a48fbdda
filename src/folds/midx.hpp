// SPDX-License-Identifier: Apache-2.0
// What the inverted multi-index asks of an ISA.
#pragma once

#include "simd/lanes.hpp"

namespace vmx {
namespace {

/// at[r]: the first of the largest of x[r * n .. r * n + n), n a multiple of 64; 0 if all are NaN.
inline void argmax_rows(const float* x, int64_t rows, int64_t n, int32_t* at) {
  for (int64_t r = 0; r < rows; ++r, x += n) {
    F most(-__builtin_inff());
    for (int64_t i = 0; i < n; i += kW) most = max_or_b(load(x + i), most);
    float lanes[kW];
    store(lanes, most);
    float largest = lanes[0];
    for (int i = 1; i < kW; ++i) largest = lanes[i] > largest ? lanes[i] : largest;
    at[r] = 0;
    for (int64_t i = 0; i < n; i += kW) {
      const uint32_t mask = at_least(load(x + i), F(largest));
      if (mask == 0) continue;
      at[r] = static_cast<int32_t>(i) + __builtin_ctz(mask);
      break;
    }
  }
}

/// prefix[b * ld + i] = the sum over j < 16 (b + 1) of counts[j * ld + i] terms[j], in rising order of j; ld a multiple of 64.
inline void midx_masses(const int32_t* counts, int64_t codewords, int64_t ld, const double* terms, double* prefix) {
  constexpr int kGroup = 4;
  for (int64_t i = 0; i < ld; i += kGroup * kWD) {
    D sums[kGroup];
    for (int g = 0; g < kGroup; ++g) sums[g] = D(0.0);
    double* to = prefix + i;
    for (int64_t j = 0; j < codewords; to += ld) {
      const int64_t end = j + 16 < codewords ? j + 16 : codewords;
      for (; j < end; ++j) {
        const D term(terms[j]);
#pragma GCC unroll 4
        for (int g = 0; g < kGroup; ++g) sums[g] = sums[g] + load_ids(counts + j * ld + i + g * kWD) * term;
      }
#pragma GCC unroll 4
      for (int g = 0; g < kGroup; ++g) store(to + g * kWD, sums[g]);
    }
  }
}

}  // namespace
}  // namespace vmx
