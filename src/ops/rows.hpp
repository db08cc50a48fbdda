// SPDX-License-Identifier: Apache-2.0
// What all row-wise operations share: kernels by dtype, blocks of a row made contiguous, and how work is cut in tasks.
#pragma once

#include "core/context.hpp"
#include "core/exp_params.hpp"
#include "core/lse_sum.hpp"
#include "targets/table.hpp"

namespace vmx {

/// The kernels of one dtype.
struct Kernels {
  decltype(KernelTable::lse_fold_f32) lse_fold;
  decltype(KernelTable::row_max_f32) row_max;
  decltype(KernelTable::block_stats_f32) block_stats;
  decltype(KernelTable::distance_sums_f32) distance_sums;
  decltype(KernelTable::softmax_write_f32) softmax_write;
  decltype(KernelTable::log_softmax_write_f32) log_softmax_write;
  decltype(KernelTable::gradient_write_f32) gradient_write;
  decltype(KernelTable::softmax_dot_f32) softmax_dot;
  decltype(KernelTable::log_softmax_sum_f32) log_softmax_sum;
  decltype(KernelTable::softmax_backward_write_f32) softmax_backward_write;
  decltype(KernelTable::log_softmax_backward_write_f32) log_softmax_backward_write;
  decltype(KernelTable::softcap_f32) softcap;
  decltype(KernelTable::softcap_gradient_f32) softcap_gradient;
};
Kernels kernels_of(const KernelTable& table, int32_t dtype);

/// f64 for f64 scores, else f32: what staged scores are held in.
inline int32_t compute_dtype(int32_t dtype) { return dtype == VMX_F64 ? VMX_F64 : VMX_F32; }

inline char* element(const vmx_matrix& m, int64_t row, int64_t column, int64_t size) {
  return static_cast<char*>(m.data) + (row * m.row_stride + column * m.col_stride) * size;
}

/// n adjacent elements of a row from column c: in place if they are adjacent, else copied to buffer.
const void* contiguous(const vmx_matrix& m, int64_t row, int64_t c, int64_t n, void* buffer);

/// Adjacent elements from one dtype to another, exactly or rounded once.
void convert_elements(const KernelTable& table, const void* from, int32_t from_dtype, void* to, int32_t to_dtype,
                      int64_t n);
/// Adjacent compute-dtype results into a row of an output of any dtype and stride.
void scatter_row(const KernelTable& table, const void* from, int32_t from_dtype, const vmx_matrix& out, int64_t row,
                 int64_t c, int64_t n);
/// Sets columns [c, c+n) of a row to one value.
void fill_row(const vmx_matrix& out, int64_t row, int64_t c, int64_t n, double value);
/// An f64 result as element i of an f32 or f64 vector; magnitudes below 2^-126 become 0 in f32.
void store_result(const vmx_vector& v, int64_t i, double value);
double load_vector(const vmx_vector& v, int64_t i);
inline bool wanted(const vmx_vector* v) { return v && v->data; }

/// One temperature a row; T = 1 without a list.
struct Temperatures {
  const float* data;
  int64_t stride;
  float at(int64_t row) const { return data ? data[row * stride] : 1.0f; }
};
/// T < 0 and NaN are argument errors.
vmx_status check_temperatures(const Temperatures& t, int64_t rows);

/// Columns of one task: whole blocks, so that no sum depends on how tasks are handed out.
constexpr int64_t kSegment = 32 * VMX_BLOCK;
inline int64_t segments_of(int64_t cols) { return (cols + kSegment - 1) / kSegment; }
/// Whether a single row is worth cutting for the threads there are.
inline bool splits_rows(const vmx_context& ctx, int64_t rows, int64_t cols) {
  return has_threads(ctx) && ctx.threads > 1 && segments_of(cols) > 1 && rows < 2 * int64_t{ctx.threads};
}
/// Sums that for_each_row needs from the scratch.
inline int64_t segment_sums(const vmx_context& ctx, int64_t rows, int64_t cols) {
  return splits_rows(ctx, rows, cols) ? segments_of(cols) : 0;
}

/// For every row, with a State of its own: begin(row, state); fold(row, state, c, n, sum) over column segments into state.sum;
/// finish(row, state); write(row, state, c, n) over column segments. Rows side by side when they are short or many, else
/// the segments of one row at a time (then `sums` holds one LseSum for each segment).
template <class State, class Begin, class Fold, class Finish, class Write>
void for_each_row(const vmx_context& ctx, int64_t rows, int64_t cols, LseSum* sums, Begin&& begin, Fold&& fold,
                  Finish&& finish, Write&& write) {
  const int64_t segments = segments_of(cols);
  const auto columns = [&](int64_t s) { return (s + 1) * kSegment <= cols ? kSegment : cols - s * kSegment; };
  if (!splits_rows(ctx, rows, cols)) {
    const int64_t chunk = cols >= 32768 ? 1 : 32768 / (cols > 0 ? cols : 1);
    parallel_for(ctx, (rows + chunk - 1) / chunk, [&](int64_t task) {
      const int64_t end = (task + 1) * chunk < rows ? (task + 1) * chunk : rows;
      for (int64_t row = task * chunk; row < end; ++row) {
        State state;
        begin(row, state);
        for (int64_t s = 0; s < segments; ++s) fold(row, state, s * kSegment, columns(s), state.sum);
        finish(row, state);
        for (int64_t s = 0; s < segments; ++s) write(row, state, s * kSegment, columns(s));
      }
    });
    return;
  }
  for (int64_t row = 0; row < rows; ++row) {
    State state;
    begin(row, state);
    parallel_for(ctx, segments, [&](int64_t s) {
      sums[s] = LseSum{};
      fold(row, state, s * kSegment, columns(s), sums[s]);
    });
    for (int64_t s = 0; s < segments; ++s) state.sum.merge(sums[s]);
    finish(row, state);
    parallel_for(ctx, segments, [&](int64_t s) { write(row, state, s * kSegment, columns(s)); });
  }
}

}  // namespace vmx
