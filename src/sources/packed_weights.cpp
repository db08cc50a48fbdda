// SPDX-License-Identifier: Apache-2.0
#include "sources/packed_weights.hpp"

#include "core/checked.hpp"
#include "core/dtype.hpp"
#include "core/status.hpp"
#include "targets/table.hpp"

#include <algorithm>
#include <cstring>

namespace vmx {
namespace {

// One panel from any strides; kGroup elements of k stand side by side (1, or 2 for bf16).
template <class T, int64_t kGroup>
void pack_panel(const vmx_context& ctx, const vmx_matrix& weights, int64_t c0, int64_t elements, T* to) {
  const T* const from = static_cast<const T*>(weights.data) + c0 * weights.row_stride;
  const int64_t classes = std::min(kPanel, weights.rows - c0);
  const int64_t steps = elements / kPanel / kGroup;
  if (classes < kPanel || weights.cols < steps * kGroup) std::memset(to, 0, static_cast<size_t>(elements) * sizeof(T));
  // Groups are 32 bits wide: as f32 they can be turned over whatever they hold.
  const bool whole_groups = weights.col_stride == 1 && weights.cols % kGroup == 0 && weights.row_stride % kGroup == 0 &&
                            reinterpret_cast<uintptr_t>(from) % 4 == 0;
  if (whole_groups && weights.cols > 0) {
    ctx.kernels->transpose_f32(reinterpret_cast<const float*>(from), weights.row_stride / kGroup, classes,
                               weights.cols / kGroup, reinterpret_cast<float*>(to), kPanel);
    return;
  }
  // A few steps at a time: what is written stays in L1 while the classes are read one after the other.
  for (int64_t s0 = 0; s0 < steps; s0 += 16) {
    const int64_t end = std::min(weights.cols, (s0 + 16) * kGroup);
    for (int64_t c = 0; c < classes; ++c) {
      for (int64_t k = s0 * kGroup; k < end; ++k) {
        to[(k / kGroup * kPanel + c) * kGroup + k % kGroup] = from[c * weights.row_stride + k * weights.col_stride];
      }
    }
  }
}

}  // namespace

vmx_status pack_weights(const vmx_context& ctx, const vmx_matrix& weights, vmx_packed_weights** out) {
  const int64_t size = dtype_size(weights.dtype), elements = panel_elements(weights.cols, weights.dtype);
  const int64_t panels = panels_of(weights.rows);
  int64_t bytes;
  if (!checked_mul(panels, elements, &bytes) || !checked_mul(bytes, size, &bytes)) {
    return fail(VMX_ERR_SIZE, "weights are too large to be packed");
  }
  vmx_context memory = resolve(nullptr);
  memory.alloc = ctx.alloc;
  memory.free = ctx.free;
  memory.alloc_user = ctx.alloc_user;
  auto* const made = static_cast<vmx_packed_weights*>(allocate(memory, sizeof(vmx_packed_weights)));
  *made = {memory, weights.rows, weights.cols, weights.dtype, static_cast<size_t>(bytes), nullptr};
  try {
    made->panels = allocate(memory, made->bytes);
    parallel_for(ctx, panels, [&](int64_t p) {
      if (size == 4) {
        pack_panel<float, 1>(ctx, weights, p * kPanel, elements, static_cast<float*>(made->panels) + p * elements);
      } else {
        pack_panel<uint16_t, 2>(ctx, weights, p * kPanel, elements,
                                static_cast<uint16_t*>(made->panels) + p * elements);
      }
    });
  } catch (...) {
    destroy_packed_weights(made);
    throw;
  }
  *out = made;
  return VMX_OK;
}

void destroy_packed_weights(vmx_packed_weights* packed) noexcept {
  if (!packed) return;
  const vmx_context memory = packed->memory;
  release(memory, packed->panels, packed->bytes);
  release(memory, packed, sizeof(vmx_packed_weights));
}

void unpack_columns(const vmx_packed_weights& packed, int64_t c0, int64_t n, void* to, int64_t ld, int32_t to_dtype) {
  const int64_t elements = panel_elements(packed.dim, packed.dtype);
  for (int64_t c = 0; c < n; c += kPanel) {
    const int64_t columns = std::min(kPanel, n - c);
    const int64_t offset = (c0 + c) / kPanel * elements;
    if (packed.dtype == VMX_F32) {
      const float* const panel = static_cast<const float*>(packed.panels) + offset;
      float* const out = static_cast<float*>(to) + c;
      for (int64_t k = 0; k < packed.dim; ++k) {
        std::memcpy(out + k * ld, panel + k * kPanel, static_cast<size_t>(columns) * sizeof(float));
      }
      continue;
    }
    const uint16_t* const panel = static_cast<const uint16_t*>(packed.panels) + offset;
    for (int64_t k = 0; k < packed.dim; ++k) {
      const uint16_t* const pairs = panel + k / 2 * (2 * kPanel) + k % 2;
      if (to_dtype == VMX_BF16) {
        uint16_t* const out = static_cast<uint16_t*>(to) + k * ld + c;
        for (int64_t i = 0; i < columns; ++i) out[i] = pairs[2 * i];
      } else {
        float* const out = static_cast<float*>(to) + k * ld + c;
        for (int64_t i = 0; i < columns; ++i) out[i] = bf16_to_f32(pairs[2 * i]);
      }
    }
  }
}

}  // namespace vmx
