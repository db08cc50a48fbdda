// SPDX-License-Identifier: Apache-2.0
// Embeddings in panels of 64 classes, as the kernels for few rows want them (sources/packed_weights.hpp): scores that are the same
// on every ISA.
#pragma once

#include "targets/table.hpp"

#include <cstdint>

namespace vmx {

constexpr int64_t kPanelClasses = 64;

inline int64_t panel_count(int64_t classes) { return (classes + kPanelClasses - 1) / kPanelClasses; }
/// Elements from one panel to the next.
inline int64_t panel_floats(int64_t dim) { return (dim + 15) / 16 * 16 * kPanelClasses; }

/// Rows [first, first + n) of f32 or bf16 embeddings, n <= 64, as one panel; the other classes are 0. staged: 64 x dim.
void make_panel(const KernelTable& kernels, const vmx_matrix& embeddings, int64_t first, int64_t n, float* panel, float* staged);

/// A row of f32 or bf16 as f32, cols of them.
void load_row(const KernelTable& kernels, const vmx_matrix& m, int64_t row, float* to);

}  // namespace vmx
