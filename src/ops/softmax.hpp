// SPDX-License-Identifier: Apache-2.0
// log-sum-exp, softmax, log-softmax and their backward passes over checked arguments.
#pragma once

#include "core/workspace.hpp"
#include "ops/scores.hpp"

namespace vmx {

struct SoftmaxCall {
  const vmx_context& ctx;
  vmx_workspace* ws;
  const vmx_matrix& x;
  Temperatures temperature;
  uint32_t flags;
};

size_t softmax_scratch(const vmx_context& ctx, int64_t rows, int64_t cols, bool keeps);
size_t softmax_backward_scratch(const vmx_context& ctx, int64_t rows, int64_t cols);

void logsumexp(const SoftmaxCall& call, const vmx_vector& lse, uint32_t* row_flags);
void softmax(const SoftmaxCall& call, const vmx_matrix& y, const vmx_vector* lse, uint32_t* row_flags, bool logarithm);
void logsumexp_backward(const SoftmaxCall& call, const vmx_vector* lse, const vmx_vector& grad_lse,
                        const vmx_matrix& grad_x);
/// call.x holds y. logarithm: of log-softmax.
void softmax_backward(const SoftmaxCall& call, const vmx_matrix& grad_y, const vmx_matrix& grad_x, bool logarithm);

}  // namespace vmx
