// SPDX-License-Identifier: Apache-2.0
#include "ops/sparse_update.hpp"

#include "core/dtype.hpp"
#include "ops/rows.hpp"

#include <algorithm>

namespace vmx {
namespace {

constexpr int64_t kTaskElements = 32768;
constexpr int64_t kPiece = 512;   // elements at a time of rows that are not adjacent in memory

/// x^n for n >= 1 by squares: the relative error is below n ULP, so that of 1 - x^n below 1/(1 - x) ULP or so.
double power(double x, int64_t n) {
  double result = 1;
  for (; n > 0; n >>= 1) {
    if (n & 1) result *= x;
    x *= x;
  }
  return result;
}

/// Rows whose elements are not adjacent: piece by piece through buffers.
void update_strided(const KernelTable& kernels, const UpdateParams& params, const vmx_matrix& g, int64_t g_row,
                    const vmx_matrix& table, const vmx_matrix& mean, const vmx_matrix& square, int64_t row) {
  alignas(64) float buffers[4][kPiece];
  const int64_t here = 0;
  for (int64_t c = 0; c < table.cols; c += kPiece) {
    const int64_t n = std::min(kPiece, table.cols - c);
    const auto take = [&](const vmx_matrix& m, int64_t from, float* buffer) -> void* {
      return m.data ? const_cast<void*>(contiguous(m, from, c, n, buffer)) : nullptr;
    };
    UpdateRows rows{};
    rows.w = take(table, row, buffers[0]);
    rows.mean = static_cast<float*>(take(mean, row, buffers[1]));
    rows.square = static_cast<float*>(take(square, row, buffers[2]));
    rows.g = static_cast<const float*>(take(g, g_row, buffers[3]));
    rows.ids = &here;
    rows.count = 1;
    rows.dim = n;
    (table.dtype == VMX_BF16 ? kernels.update_rows_bf16 : kernels.update_rows_f32)(params, rows);
    const auto put_back = [&](const vmx_matrix& m, const void* from, const float* buffer) {
      if (from == buffer) scatter_row(kernels, from, m.dtype, m, row, c, n);
    };
    put_back(table, rows.w, buffers[0]);
    put_back(mean, rows.mean, buffers[1]);
    put_back(square, rows.square, buffers[2]);
  }
}

}  // namespace

UpdateParams update_params(const vmx_update_options& o) {
  UpdateParams p{};
  p.optimizer = o.optimizer;
  p.keep = static_cast<float>(1 - o.lr * o.weight_decay);
  p.rate = static_cast<float>(o.lr);
  p.eps = static_cast<float>(o.eps);
  if (o.optimizer == VMX_ADAM) {
    p.rate = static_cast<float>(o.lr / (1 - power(o.beta1, o.step)));
    p.unbias = static_cast<float>(1 / (1 - power(o.beta2, o.step)));
    p.beta1 = static_cast<float>(o.beta1);
    p.rest1 = static_cast<float>(1 - o.beta1);
    p.beta2 = static_cast<float>(o.beta2);
    p.rest2 = static_cast<float>(1 - o.beta2);
  }
  return p;
}

void sparse_update(const vmx_context& ctx, const vmx_sparse_rows& grad, const vmx_matrix& table, const vmx_matrix& mean,
                   const vmx_matrix& square, const UpdateParams& params) {
  const int64_t dim = table.cols, count = grad.count;
  if (count == 0 || dim == 0) return;
  const KernelTable& kernels = *ctx.kernels;
  const auto adjacent = [](const vmx_matrix& m) { return !m.data || m.col_stride == 1; };
  const bool whole = adjacent(table) && adjacent(grad.rows) && adjacent(mean) && adjacent(square);
  const int64_t task_rows = std::max<int64_t>(1, kTaskElements / dim);
  parallel_for(ctx, (count + task_rows - 1) / task_rows, [&](int64_t task) {
    const int64_t first = task * task_rows, last = std::min(count, first + task_rows);
    if (!whole) {
      for (int64_t i = first; i < last; ++i) {
        update_strided(kernels, params, grad.rows, i, table, mean, square, grad.ids[i]);
      }
      return;
    }
    UpdateRows rows{};
    rows.w = table.data;
    rows.mean = static_cast<float*>(mean.data);
    rows.square = static_cast<float*>(square.data);
    rows.g = static_cast<const float*>(grad.rows.data) + first * grad.rows.row_stride;
    rows.w_stride = table.row_stride;
    rows.mean_stride = mean.row_stride;
    rows.square_stride = square.row_stride;
    rows.g_stride = grad.rows.row_stride;
    rows.ids = grad.ids + first;
    rows.count = last - first;
    rows.dim = dim;
    (table.dtype == VMX_BF16 ? kernels.update_rows_bf16 : kernels.update_rows_f32)(params, rows);
  });
}

}  // namespace vmx
