// SPDX-License-Identifier: Apache-2.0
// What the kernels over gathered rows are told.
#pragma once

#include <cstdint>

namespace vmx {

/// Rows of a dtype that the kernel knows, by their addresses. known: how many addresses stand in the list, n of which are in
/// work; the others will be wanted next.
struct GatheredRows {
  const void* const* rows;
  int64_t n, known;
};

/// A term of a weighted sum: coef times a row of one of two matrices.
struct SumTerm {
  float coef;
  uint32_t row;  // kSecondMatrix | number of the row
};
constexpr uint32_t kSecondMatrix = 0x80000000u;

/// Sums of adjacent terms: sum i has terms first[i] to first[i + 1].
struct WeightedSums {
  const float* matrix[2];
  int64_t ld[2];
  const SumTerm* terms;
  const uint32_t* first;
  int64_t n, dim;
  float* out;
  int64_t out_ld;
  bool streaming;
};

}  // namespace vmx
