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
