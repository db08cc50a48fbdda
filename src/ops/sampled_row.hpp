// SPDX-License-Identifier: Apache-2.0
// A sampled loss of one row: from the scores of its targets and negatives to the loss and its gradient by them.
#pragma once

#include "core/context.hpp"
#include "core/exp_params.hpp"

#include <vastmax/vastmax.h>

namespace vmx {

/// The targets of a row: corrected scores (z of the header, or o), weights, and whether the class has stood in the list before.
struct RowTargets {
  int64_t n;
  const double *score, *weight;
  const uint8_t* repeats;  // looked at by the joint softmax alone; NULL: none does
};

struct RowLoss {
  double loss;
  uint32_t flags;
};

class SampledRow {
 public:
  explicit SampledRow(const vmx_context& ctx, const vmx_sampled_options& options);

  /// x: corrected scores of the m negatives, -inf where one is left out; left: how many are not. With gradients (upstream times
  /// those by the scores; else target_grad is NULL) they replace x. buffer: m floats.
  RowLoss run(float* x, int64_t m, int64_t left, const RowTargets& targets, double upstream, float* target_grad,
              float* buffer) const;

 private:
  struct Sums {
    double loss = 0;
    bool nan = false, inf = false;
  };
  Sums softmax(float* x, int64_t m, const RowTargets& targets, double upstream, float* target_grad, float* buffer) const;
  Sums logistic(float* x, int64_t m, const RowTargets& targets, double upstream, float* target_grad, float* buffer) const;
  Sums ranking(float* x, int64_t m, int64_t left, const RowTargets& targets, double upstream, float* target_grad,
               float* buffer) const;
  Sums contrastive(float* x, int64_t m, int64_t left, const RowTargets& targets, double upstream, float* target_grad,
                   float* buffer) const;

  const vmx_context& ctx_;
  const vmx_sampled_options& options_;
  const ExpParams params_;  // of T = 1
};

/// Rounded once; below 2^-126: 0.
inline float gradient_f32(double value) {
  return value < 0x1p-126 && value > -0x1p-126 ? 0.0f : static_cast<float>(value);
}

}  // namespace vmx
