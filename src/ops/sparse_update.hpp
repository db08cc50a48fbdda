// SPDX-License-Identifier: Apache-2.0
// Steps of optimizers on the rows of a table that have a gradient, over checked arguments.
#pragma once

#include "core/context.hpp"
#include "core/update_params.hpp"

namespace vmx {

UpdateParams update_params(const vmx_update_options& options);

/// mean and square: without data where the optimizer has none.
void sparse_update(const vmx_context& ctx, const vmx_sparse_rows& grad, const vmx_matrix& table, const vmx_matrix& mean,
                   const vmx_matrix& square, const UpdateParams& params);

}  // namespace vmx
