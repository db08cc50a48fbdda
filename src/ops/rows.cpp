// SPDX-License-Identifier: Apache-2.0
#include "ops/rows.hpp"

#include <cstring>

#include "core/dtype.hpp"

namespace vmx {
namespace {

template <class Element>
void gather(const vmx_matrix& m, int64_t row, int64_t c, int64_t n, void* buffer) {
  const Element* from = static_cast<const Element*>(m.data) + row * m.row_stride + c * m.col_stride;
  Element* to = static_cast<Element*>(buffer);
  for (int64_t i = 0; i < n; ++i) to[i] = from[i * m.col_stride];
}

template <class Element>
void scatter(const Element* from, const vmx_matrix& m, int64_t row, int64_t c, int64_t n) {
  Element* to = static_cast<Element*>(m.data) + row * m.row_stride + c * m.col_stride;
  for (int64_t i = 0; i < n; ++i) to[i * m.col_stride] = from[i];
}

constexpr int64_t kPiece = 512;  // elements converted at a time on their way to a strided output

}  // namespace

Kernels kernels_of(const KernelTable& t, int32_t dtype) {
  switch (dtype) {
#define VMX_KERNELS(d)                                                                                               \
  Kernels {                                                                                                          \
    t.lse_fold_##d, t.row_max_##d, t.block_stats_##d, t.distance_sums_##d, t.softmax_write_##d,                      \
        t.log_softmax_write_##d, t.gradient_write_##d, t.softmax_dot_##d, t.log_softmax_sum_##d, t.softmax_backward_write_##d,                \
        t.log_softmax_backward_write_##d, t.softcap_##d, t.softcap_gradient_##d                                      \
  }
    case VMX_BF16: return VMX_KERNELS(bf16);
    case VMX_F16: return VMX_KERNELS(f16);
    case VMX_F64: return VMX_KERNELS(f64);
    default: return VMX_KERNELS(f32);
#undef VMX_KERNELS
  }
}

const void* contiguous(const vmx_matrix& m, int64_t row, int64_t c, int64_t n, void* buffer) {
  const int64_t size = dtype_size(m.dtype);
  if (m.col_stride == 1 || n <= 1) return element(m, row, c, size);
  switch (size) {
    case 2: gather<uint16_t>(m, row, c, n, buffer); break;
    case 4: gather<uint32_t>(m, row, c, n, buffer); break;
    default: gather<uint64_t>(m, row, c, n, buffer); break;
  }
  return buffer;
}

void convert_elements(const KernelTable& table, const void* from, int32_t from_dtype, void* to, int32_t to_dtype,
                      int64_t n) {
  if (from_dtype == to_dtype) {
    std::memcpy(to, from, static_cast<size_t>(n * dtype_size(to_dtype)));
  } else if (from_dtype == VMX_BF16 && to_dtype == VMX_F32) {
    table.widen_bf16(from, static_cast<float*>(to), n);
  } else if (from_dtype == VMX_F16 && to_dtype == VMX_F32) {
    table.widen_f16(from, static_cast<float*>(to), n);
  } else if (from_dtype == VMX_F32 && to_dtype == VMX_BF16) {
    table.narrow_bf16(static_cast<const float*>(from), to, n);
  } else if (from_dtype == VMX_F32 && to_dtype == VMX_F16) {
    table.narrow_f16(static_cast<const float*>(from), to, n);
  } else {
    for (int64_t i = 0; i < n; ++i) store_from_f64(to, i, to_dtype, load_as_f64(from, i, from_dtype));
  }
}

void scatter_row(const KernelTable& table, const void* from, int32_t from_dtype, const vmx_matrix& out, int64_t row,
                 int64_t c, int64_t n) {
  const int64_t size = dtype_size(out.dtype);
  if (out.col_stride == 1) {
    convert_elements(table, from, from_dtype, element(out, row, c, size), out.dtype, n);
    return;
  }
  alignas(64) unsigned char piece[kPiece * 8];
  for (int64_t i = 0; i < n; i += kPiece) {
    const int64_t count = n - i < kPiece ? n - i : kPiece;
    convert_elements(table, static_cast<const char*>(from) + i * dtype_size(from_dtype), from_dtype, piece, out.dtype,
                     count);
    switch (size) {
      case 2: scatter(reinterpret_cast<const uint16_t*>(piece), out, row, c + i, count); break;
      case 4: scatter(reinterpret_cast<const uint32_t*>(piece), out, row, c + i, count); break;
      default: scatter(reinterpret_cast<const uint64_t*>(piece), out, row, c + i, count); break;
    }
  }
}

void fill_row(const vmx_matrix& out, int64_t row, int64_t c, int64_t n, double value) {
  for (int64_t i = 0; i < n; ++i) {
    store_from_f64(out.data, row * out.row_stride + (c + i) * out.col_stride, out.dtype, value);
  }
}

void store_result(const vmx_vector& v, int64_t i, double value) {
  if (v.dtype == VMX_F32 && value < 0x1p-126 && value > -0x1p-126) value = 0.0;
  store_from_f64(v.data, i * v.stride, v.dtype, value);
}

double load_vector(const vmx_vector& v, int64_t i) { return load_as_f64(v.data, i * v.stride, v.dtype); }

vmx_status check_temperatures(const Temperatures& t, int64_t rows) {
  if (!t.data) return VMX_OK;
  const int64_t distinct = t.stride == 0 && rows > 1 ? 1 : rows;
  for (int64_t row = 0; row < distinct; ++row) {
    const float value = t.at(row);
    if (!(value >= 0.0f)) {
      return fail(VMX_ERR_VALUE, "options.temperature of row %lld is %g, but must be at least 0",
                  static_cast<long long>(row), static_cast<double>(value));
    }
  }
  return VMX_OK;
}

}  // namespace vmx
