// SPDX-License-Identifier: Apache-2.0
// What one step of an optimizer is to the kernels: the options, worked out and rounded to f32.
#pragma once

#include <cstdint>

namespace vmx {

struct UpdateParams {
  int32_t optimizer;  // VMX_SGD, ...
  float keep;         // 1 - lr * weight_decay
  float rate;         // lr; ADAM: lr / (1 - beta1^step)
  float beta1, rest1, beta2, rest2;  // rest: 1 - beta
  float unbias;       // ADAM: 1 / (1 - beta2^step)
  float eps;
};

/// Rows with adjacent elements: row i of g and row ids[i] of the others. mean and square are NULL where the optimizer has none.
struct UpdateRows {
  void* w;  // of the table's dtype
  float *mean, *square;
  const float* g;
  int64_t w_stride, mean_stride, square_stride, g_stride;  // of rows, in elements
  const int64_t* ids;
  int64_t count, dim;
};

}  // namespace vmx
