// SPDX-License-Identifier: Apache-2.0
// Arithmetic on single embedding vectors. Sums run in one fixed order that compilers can vectorise.
#pragma once

#include <cmath>
#include <cstdint>

namespace tool {

inline float dot(const float* a, const float* b, int64_t n) {
  constexpr int64_t kLanes = 16;
  float sum[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) sum[lane] += a[i + lane] * b[i + lane];
  }
  for (int64_t lane = 0; i < n; ++i, ++lane) sum[lane] += a[i] * b[i];
  for (int64_t width = kLanes / 2; width > 0; width /= 2) {
    for (int64_t lane = 0; lane < width; ++lane) sum[lane] += sum[lane + width];
  }
  return sum[0];
}

/// 1/|x|; finite for x = 0.
inline float inverse_norm(const float* x, int64_t n) { return 1.0f / std::fmax(std::sqrt(dot(x, x, n)), 1e-12f); }

inline void scale_to(float* out, const float* x, float factor, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = factor * x[i];
}

/// grad, with respect to u = x * inverse (inverse = 1/|x|), becomes the gradient with respect to x:
/// (grad - u (u . grad)) / |x|.
inline void project_gradient(float* grad, const float* x, float inverse, int64_t n) {
  const float along = dot(x, grad, n) * inverse * inverse;
  for (int64_t i = 0; i < n; ++i) grad[i] = (grad[i] - along * x[i]) * inverse;
}

}  // namespace tool
