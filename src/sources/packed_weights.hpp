// SPDX-License-Identifier: Apache-2.0
// Weights in panels of 64 classes: what vmx_pack_weights makes.
#pragma once

#include "core/context.hpp"

#include <vastmax/vastmax.h>

#include <cstddef>
#include <cstdint>

// A panel holds 64 classes, class by class inside each step of k, so that a register takes adjacent classes:
//   f32   [panel][k padded to 16][64]
//   bf16  [panel][k / 2 padded to 16][64][2]
// Padding is 0. oneDNN knows these layouts as BA16a64b and BA16a64b2a and takes them as they are where it multiplies by
// AVX-512; elsewhere slices are unpacked for it. The kernels for few rows read them on every ISA.
struct vmx_packed_weights {
  vmx_context memory;  // its allocator alone is used: the context that made this may be gone
  int64_t classes, dim;
  int32_t dtype;
  size_t bytes;  // of panels
  void* panels;
};

namespace vmx {

constexpr int64_t kPanel = 64;

inline int64_t panels_of(int64_t classes) { return (classes + kPanel - 1) / kPanel; }
// Elements of one panel.
inline int64_t panel_elements(int64_t dim, int32_t dtype) {
  const int64_t step = dtype == VMX_BF16 ? 32 : 16;
  return (dim + step - 1) / step * step * kPanel;
}

vmx_status pack_weights(const vmx_context& ctx, const vmx_matrix& weights, vmx_packed_weights** out);
void destroy_packed_weights(vmx_packed_weights* packed) noexcept;

// Classes [c0, c0 + n), c0 a multiple of kPanel, as plain rows of k with ld elements between them: to[k * ld + c]. In f32, or
// in the dtype of the panels.
void unpack_columns(const vmx_packed_weights& packed, int64_t c0, int64_t n, void* to, int64_t ld, int32_t to_dtype);

}  // namespace vmx
