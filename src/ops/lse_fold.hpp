// SPDX-License-Identifier: Apache-2.0
// Full partial states of column slices, over checked arguments.
#pragma once

#include "core/lse_state.hpp"
#include "core/workspace.hpp"
#include "ops/scores.hpp"

namespace vmx {

/// Folds columns [c0, c0 + n) of a row, block by block; c0 a multiple of VMX_BLOCK. weight: of the slice's columns, or NULL.
void fold_state(const Scores& scores, int64_t row, const RowTemperature& t, int64_t c0, int64_t n, int64_t skip,
                const float* weight, uint32_t has, vmx_lse_state& state);

size_t lse_fold_scratch(const vmx_context& ctx, int64_t rows, int64_t cols);

/// skip: one id a row over the whole row (base not yet taken off), or no data.
void lse_fold(const vmx_context& ctx, vmx_workspace* ws, const vmx_matrix& x, int64_t col_offset,
              vmx_lse_state* states, const vmx_lse_options& options);

}  // namespace vmx
