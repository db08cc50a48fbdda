// SPDX-License-Identifier: Apache-2.0
// Top-k of rows in memory and merges of k-lists, over checked arguments.
#pragma once

#include "core/workspace.hpp"
#include "ops/excluded.hpp"
#include "ops/topk_stream.hpp"

namespace vmx {

/// options: read and checked; its list of excluded ids too.
size_t topk_scratch(const vmx_context& ctx, const vmx_matrix& x, int64_t k, const vmx_topk_options& options);
void topk(const vmx_context& ctx, vmx_workspace* ws, const vmx_matrix& x, int64_t k, const vmx_topk_options& options,
          const TopkOutputs& out);

void topk_merge(const vmx_context& ctx, vmx_workspace* ws, const vmx_matrix& values_in, const vmx_matrix& ids_in, int64_t k,
                const vmx_topk_options& options, const TopkOutputs& out);

}  // namespace vmx
