// SPDX-License-Identifier: Apache-2.0
// Matrices turned over, and sums of their columns: what stands between the products of linear scores.
#pragma once

#include "simd/lanes.hpp"

namespace vmx {
namespace {

// One element as the lanes round it.
inline void store_one(float* to, float value) { *to = value; }
inline void store_one(bf16* to, float value) { to->bits = f32_to_bf16(value); }

/// out[c * out_ld + r] = in[r * in_ld + c] for r < rows, c < cols.
template <class T>
inline void transpose(const float* in, int64_t in_ld, int64_t rows, int64_t cols, T* out, int64_t out_ld) {
  // Columns in work at the same time: as many as have their output lines, two registers of which are written one after the
  // other, in L1, and no more than the input is read along.
  const int64_t strip = out_ld <= 64 ? 512 : 64;
  const uintptr_t ahead = static_cast<uintptr_t>(16 * in_ld) * sizeof(float);
  const int64_t whole_rows = rows / kW * kW;
  for (int64_t c0 = 0; c0 < cols; c0 += strip) {
    const int64_t end = c0 + strip < cols ? c0 + strip : cols;
    const int64_t whole = c0 + (end - c0) / kW * kW;
    for (int64_t r = 0; r < whole_rows; r += kW) {
      for (int64_t c = c0; c < whole; c += kW) {
        F square[kW];
        for (int i = 0; i < kW; ++i) {
          const float* const from = in + (r + i) * in_ld + c;
          if (c % 16 == 0) prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(from) + ahead));
          square[i] = load(from);
        }
        transpose(square);
        for (int i = 0; i < kW; ++i) store(out + (c + i) * out_ld + r, square[i]);
      }
      for (int64_t c = whole; c < end; ++c) {
        for (int64_t i = r; i < r + kW; ++i) store_one(out + c * out_ld + i, in[i * in_ld + c]);
      }
    }
    for (int64_t r = whole_rows; r < rows; ++r) {
      for (int64_t c = c0; c < end; ++c) store_one(out + c * out_ld + r, in[r * in_ld + c]);
    }
  }
}

/// sums[c] = the sum of rows of column c: groups of 16 rows first, which keeps the sums of many rows precise.
inline void column_sums(const float* in, int64_t rows, int64_t cols, float* sums) {
  const auto sum = [&](int64_t c, auto zero, auto&& at) {
    auto total = zero;
    for (int64_t first = 0; first < rows; first += 16) {
      auto group = zero;
      const int64_t end = first + 16 < rows ? first + 16 : rows;
      for (int64_t r = first; r < end; ++r) group = group + at(in + r * cols + c);
      total = total + group;
    }
    return total;
  };
  int64_t c = 0;
  for (; c + kW <= cols; c += kW) store(sums + c, sum(c, F(0.0f), [](const float* p) { return load(p); }));
  for (; c < cols; ++c) sums[c] = sum(c, 0.0f, [](const float* p) { return *p; });
}

}  // namespace
}  // namespace vmx
