// SPDX-License-Identifier: Apache-2.0
// Checks shared by the cross-entropies of given and of linear scores.
#pragma once

#include "check.hpp"

namespace vmx {

constexpr int kCrossEntropyOutputs = 8;

/// The struct and its flags alone; then everything.
vmx_status read_cross_entropy_options(const vmx_cross_entropy_options* given, vmx_cross_entropy_options* out);
vmx_status check_cross_entropy_options(const vmx_cross_entropy_options* given, int64_t rows, int64_t cols,
                                       vmx_cross_entropy_options* out);
/// The per-row outputs and totals (not grad); lists their extents. like: the scores' rows and dtype.
vmx_status check_cross_entropy_out(const vmx_cross_entropy_out& out, const vmx_matrix& like, NamedExtent* outputs,
                                   int* n);
/// Outputs against labels, weights, class weights and temperatures.
vmx_status check_apart_from_targets(const NamedExtent* outputs, int n, const vmx_csr& targets,
                                    const vmx_cross_entropy_options& options, int64_t rows);

}  // namespace vmx
