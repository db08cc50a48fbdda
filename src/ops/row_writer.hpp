// SPDX-License-Identifier: Apache-2.0
// The second pass of a row into an output of any dtype and stride: in one go where scores and output allow it, else block by
// block through a buffer of the compute dtype.
#pragma once

#include "core/views.hpp"
#include "ops/scores.hpp"

namespace vmx {

class RowWriter {
 public:
  RowWriter(const vmx_context& ctx, const Scores& scores, const vmx_matrix& y);

  /// Whether rows may be written while the next one is folded: f32, and beyond the caches.
  bool defers() const { return streaming_ && y_.col_stride == 1 && y_.dtype == VMX_F32 && scores_.matrix().dtype == VMX_F32; }
  /// The whole row so, if it can be.
  bool deferred(int64_t row, const RowScale& scale, const float* kept, KeptWrite* what) const;
  /// kept: the terms of the n columns, or NULL.
  void softmax(int64_t row, const RowTemperature& t, int64_t c, int64_t n, const RowScale& scale, const float* kept) const;
  void log_softmax(int64_t row, const RowTemperature& t, int64_t c, int64_t n, const RowShift& shift) const;
  /// exp(x/T) * factor - subtract * weight[c] (weight NULL: 1), times the soft-cap's factor if the scores have one.
  void gradient(int64_t row, const RowTemperature& t, int64_t c, int64_t n, const RowScale& scale, const float* weight,
                double subtract, const float* kept) const;

 private:
  bool write_kept(int64_t row, int64_t c0, int64_t n, const RowScale& scale, const float* kept) const;
  template <class Direct>
  void write(int64_t row, const RowTemperature& t, int64_t c0, int64_t n, Direct&& kernel) const;

  const vmx_context& ctx_;
  const Scores& scores_;
  vmx_matrix y_;
  bool streaming_;
};

}  // namespace vmx
