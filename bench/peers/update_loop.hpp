// SPDX-License-Identifier: Apache-2.0
// Lazy Adam as one writes it: row after row, element after element.
#pragma once

#include <cstdint>

namespace bench {

struct AdamNumbers {
  float beta1, beta2, rate, unbias, eps;  // rate: lr/(1 - beta1^step), unbias: 1/(1 - beta2^step)
};

// Row i of g [count, dim] belongs to row ids[i] of w, m and v. T: float, or uint16_t for bf16.
void adam_rows(float* w, float* m, float* v, const float* g, const int64_t* ids, int64_t count, int64_t dim,
               const AdamNumbers& numbers);
void adam_rows(uint16_t* w, float* m, float* v, const float* g, const int64_t* ids, int64_t count, int64_t dim,
               const AdamNumbers& numbers);

}  // namespace bench
