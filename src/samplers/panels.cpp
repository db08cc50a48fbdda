// SPDX-License-Identifier: Apache-2.0
#include "samplers/panels.hpp"

#include "ops/rows.hpp"

#include <algorithm>

namespace vmx {

void make_panel(const KernelTable& kernels, const vmx_matrix& embeddings, int64_t first, int64_t n, float* panel, float* staged) {
  const int64_t dim = embeddings.cols;
  const float* from = staged;
  int64_t ld = dim;
  if (embeddings.dtype == VMX_F32 && embeddings.col_stride == 1) {
    from = reinterpret_cast<const float*>(element(embeddings, first, 0, sizeof(float)));
    ld = embeddings.row_stride;
  } else {
    for (int64_t i = 0; i < n; ++i) load_row(kernels, embeddings, first + i, staged + i * dim);
  }
  if (n < kPanelClasses) std::fill_n(panel, kPanelClasses * dim, 0.0f);
  kernels.transpose_f32(from, ld, n, dim, panel, kPanelClasses);
}

void load_row(const KernelTable& kernels, const vmx_matrix& m, int64_t row, float* to) {
  alignas(64) unsigned char block[256 * sizeof(float)];
  for (int64_t c = 0; c < m.cols; c += 256) {
    const int64_t n = std::min<int64_t>(256, m.cols - c);
    convert_elements(kernels, contiguous(m, row, c, n, block), m.dtype, to + c, VMX_F32, n);
  }
}

}  // namespace vmx
