// SPDX-License-Identifier: Apache-2.0
// Checks that top-k of dense rows, of lists and of linear scores share.
#pragma once

#include "check.hpp"
#include "ops/topk_stream.hpp"

namespace vmx {

/// k against the entries of a row; name: of what has the cols.
vmx_status check_topk_k(int64_t k, int64_t cols, const char* cols_name);

vmx_status check_topk_flags(const vmx_topk_options& options);
/// Options and their list of excluded ids, for rows of cols columns.
vmx_status check_topk_options(const vmx_topk_options* given, int64_t rows, int64_t cols, vmx_topk_options* out);

/// values [rows, k] of the dtype and ids [rows, k], each NULL or without data if not wanted, but not both; row flags. All apart
/// from each other, from the inputs and from the options' excluded ids.
vmx_status check_topk_outputs(const vmx_matrix* values, const vmx_matrix* ids, uint32_t* row_flags, int32_t dtype, int64_t rows,
                              int64_t k, const vmx_topk_options& options, const NamedExtent* inputs, int n_inputs,
                              TopkOutputs* out);

/// VMX_ERR_SIZE if ids up to `highest` do not fit the dtype of the ids wanted.
vmx_status check_topk_ids_fit(const TopkOutputs& out, int64_t highest);

}  // namespace vmx
