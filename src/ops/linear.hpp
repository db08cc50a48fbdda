// SPDX-License-Identifier: Apache-2.0
// What callers ask of linear scores, over checked arguments.
#pragma once

#include "core/status.hpp"
#include "core/workspace.hpp"
#include "ops/targets_list.hpp"
#include "ops/topk_stream.hpp"
#include "sources/linear.hpp"

namespace vmx {

// Each plans its memory first: VMX_ERR_VALUE, before any write, if the memory limit is too low. With `size` not NULL that
// is all it does.

vmx_status linear_logsumexp(const vmx_context& ctx, vmx_workspace* ws, const LinearInput& input,
                            const vmx_softmax_options& options, const vmx_vector* lse, uint32_t* row_flags, size_t* size);

// grads: NULL: forward only. Its views are checked, those not wanted have data NULL (or, for sizes, dtype 0).
vmx_status linear_cross_entropy(const vmx_context& ctx, vmx_workspace* ws, const LinearInput& input,
                                const TargetList& targets, const vmx_cross_entropy_options& options,
                                const vmx_cross_entropy_out* out, const vmx_linear_grads* grads, size_t* size);

vmx_status linear_topk(const vmx_context& ctx, vmx_workspace* ws, const LinearInput& input, int64_t k,
                       const vmx_topk_options& options, const TopkOutputs* out, size_t* size);

}  // namespace vmx
