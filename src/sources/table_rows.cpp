// SPDX-License-Identifier: Apache-2.0
#include "sources/table_rows.hpp"

#include "core/dtype.hpp"
#include "ops/rows.hpp"

#include <algorithm>
#include <bit>

namespace vmx {

TableRows::TableRows(const vmx_context& ctx, const vmx_matrix& table)
    : ctx_(ctx),
      table_(table),
      row_bytes_(table.cols * dtype_size(table.dtype)),
      pitch_(table.row_stride * dtype_size(table.dtype)),
      direct_(table.cols <= 1 || table.col_stride == 1) {}

const void* TableRows::copied(int64_t i, void* buffer) const { return contiguous(table_, i, 0, dim(), buffer); }

void TableRows::load(int64_t i, float* to) const {
  constexpr int64_t kPiece = 512;
  alignas(64) unsigned char piece[kPiece * 4];
  for (int64_t c = 0; c < dim(); c += kPiece) {
    const int64_t n = std::min(kPiece, dim() - c);
    convert_elements(*ctx_.kernels, contiguous(table_, i, c, n, piece), dtype(), to + c, VMX_F32, n);
  }
}

namespace {

// Four sums side by side, in an order of their own.
template <class Term>
double sum_of(int64_t n, Term&& term) {
  double sums[4] = {};
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (int64_t j = 0; j < 4; ++j) sums[j] += term(i + j);
  }
  for (; i < n; ++i) sums[0] += term(i);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

float to_f32(double value) {
  if (value != value) return __builtin_nanf("");
  return value < 0x1p-126 && value > -0x1p-126 ? 0.0f : static_cast<float>(value);
}

}  // namespace

double inverse_root(double squares) {
  if (squares == 0.0) return 0.0;
  return squares < __builtin_inf() ? 1.0 / __builtin_sqrt(squares) : __builtin_nan("");
}

double inverse_norm(const float* x, int64_t n) { return inverse_root(dot_f64(x, x, n)); }

void scale_vector(const float* x, int64_t n, double factor, float* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<float>(static_cast<double>(x[i]) * factor);
}

double dot_f64(const float* a, const float* b, int64_t n) {
  return sum_of(n, [&](int64_t i) { return static_cast<double>(a[i]) * static_cast<double>(b[i]); });
}

bool all_finite(const float* x, int64_t n) {
  uint32_t most = 0;  // by the bits, which the compiler does side by side
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t magnitude = std::bit_cast<uint32_t>(x[i]) & 0x7fffffffu;
    most = magnitude > most ? magnitude : most;
  }
  return most < 0x7f800000u;
}

void through_norm(float* u, const float* unit, int64_t n, double inverse) {
  if (inverse == 0.0) {  // no direction: no gradient, whatever the others are
    std::fill_n(u, n, 0.0f);
    return;
  }
  const double along = dot_f64(unit, u, n);
  for (int64_t i = 0; i < n; ++i) {
    u[i] = to_f32((static_cast<double>(u[i]) - along * static_cast<double>(unit[i])) * inverse);
  }
}

void finish_sums(float* sums, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t bits = std::bit_cast<uint32_t>(sums[i]), magnitude = bits & 0x7fffffffu;
    const uint32_t number = magnitude > 0x7f800000u ? 0x7fc00000u : bits;
    sums[i] = std::bit_cast<float>(magnitude < 0x00800000u ? 0u : number);
  }
}

}  // namespace vmx
