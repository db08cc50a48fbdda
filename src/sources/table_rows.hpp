// SPDX-License-Identifier: Apache-2.0
// Single rows of a table, wherever they lie: by address where their elements are adjacent, else as copies.
#pragma once

#include "core/context.hpp"

#include <vastmax/vastmax.h>

#include <cstdint>

namespace vmx {

class TableRows {
 public:
  TableRows(const vmx_context& ctx, const vmx_matrix& table);

  int32_t dtype() const { return table_.dtype; }
  int64_t dim() const { return table_.cols; }
  /// Bytes of a row side by side.
  int64_t row_bytes() const { return row_bytes_; }
  bool direct() const { return direct_; }

  /// The row's address; buffer: row_bytes() for a copy where the row is not direct.
  const void* row(int64_t i, void* buffer) const {
    const void* const here = static_cast<const char*>(table_.data) + i * pitch_;
    return direct_ ? here : copied(i, buffer);
  }
  /// Asks for a row that is soon needed, where it lies.
  void prefetch(int64_t i) const {
    if (!direct_) return;
    const auto* const here = static_cast<const char*>(row(i, nullptr));
    for (int64_t at = 0; at < row_bytes_; at += 64) __builtin_prefetch(here + at);
  }
  /// The row in f32.
  void load(int64_t i, float* to) const;

 private:
  const void* copied(int64_t i, void* buffer) const;

  const vmx_context& ctx_;
  vmx_matrix table_;
  int64_t row_bytes_, pitch_;
  bool direct_;
};

/// 1/|x| by the sum of squares: 0 for a vector of zeros, NaN for one that holds what is no number.
double inverse_root(double squares);
double inverse_norm(const float* x, int64_t n);
/// x * factor, rounded once; out may be x.
void scale_vector(const float* x, int64_t n, double factor, float* out);
double dot_f64(const float* a, const float* b, int64_t n);
/// Whether every element is a number.
bool all_finite(const float* x, int64_t n);
/// The gradient by a vector of which only the direction counts: from u, that by its unit vector, (u - (unit . u) unit) * inverse
/// norm into u; 0 for a vector of zeros.
void through_norm(float* u, const float* unit, int64_t n, double inverse);

/// One NaN, and +0 below 2^-126: what sums are when they are written.
void finish_sums(float* sums, int64_t n);

}  // namespace vmx
