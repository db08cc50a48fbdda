// SPDX-License-Identifier: Apache-2.0
#include "ops/rows.hpp"

#include <cstring>

#include "core/dtype.hpp"
#include "core/views.hpp"

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
  value = one_nan(value);
  store_from_f64(v.data, i * v.stride, v.dtype, value);
}

double load_vector(const vmx_vector& v, int64_t i) { return load_as_f64(v.data, i * v.stride, v.dtype); }

RowPlan::RowPlan(const vmx_context& ctx, int64_t row_count, int64_t col_count, bool wants_kept,
                 bool wants_deferred)
    : rows(row_count),
      cols(col_count),
      split(splits_rows(ctx, row_count, col_count)),
      keeps(wants_kept && col_count > 0 && col_count <= kMostKept),
      defers(false),
      at_once(split || col_count >= VMX_BLOCK ? 1 : std::min(kMostAtOnce, 2 * VMX_BLOCK / std::max<int64_t>(col_count, 1))),
      tasks(0),
      task_rows(col_count >= 32768 ? 1 : 32768 / std::max<int64_t>(col_count, 1)),
      workers(0) {
  tasks = (rows + task_rows - 1) / task_rows;
  defers = keeps && wants_deferred && !split && at_once == 1;
  workers = std::max<int64_t>(1, std::min<int64_t>(tasks, has_threads(ctx) ? ctx.threads : 1));
}

size_t row_plan_bytes(RowPlan plan) {
  PieceCounter counter;
  plan.take(counter);
  return counter.bytes();
}

vmx_status check_temperatures(const Temperatures& t, int64_t rows) {
  if (!t.data) return VMX_OK;
  const vmx_vector view = temperature_view(t, rows);
  VMX_TRY(check_vector_in(&view, "options.temperature", rows, kF32));
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
