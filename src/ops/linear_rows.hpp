// SPDX-License-Identifier: Apache-2.0
// The row-level half of the operations on linear scores: what Scores does for given ones, a tile at a time.
#pragma once

#include "ops/scores.hpp"

namespace vmx {

/// The first maximum of a row so far; what rows of a temperature below 2^-126 need.
struct RowMaximum {
  double value = -__builtin_inf();
  int64_t column = -1;
};

class LinearRows {
 public:
  LinearRows(const vmx_context& ctx, int64_t rows, double softcap, const Temperatures& t, bool precise);

  double softcap() const { return softcap_; }
  /// Whether some row needs its RowMaximum.
  bool any_first_maximum() const { return any_first_maximum_; }

  /// Temperature of a row; in mode first_maximum the maximum itself comes with finish().
  void begin(int64_t row, RowTemperature* t) const;

  /// The tile as the fold sees it: z itself, or capped and staged in buffer[n].
  const float* stage(const RowTemperature& t, const float* z, int64_t n, float* buffer) const;
  /// Folds what stage() gave of columns [c0, c0 + n), without column skip (-1: none).
  void fold(const RowTemperature& t, const float* staged, int64_t c0, int64_t n, int64_t skip, LseSum& sum,
            RowMaximum* maximum) const;
  static void merge(RowMaximum& into, const RowMaximum& from);
  /// After the last tile: the sum of a row of mode first_maximum.
  void finish(RowTemperature* t, const RowMaximum& maximum, int64_t skip, LseSum& sum) const;
  /// A single score, as staged, after finish().
  static double score(const RowTemperature& t, double staged, int64_t column);

 private:
  const vmx_context& ctx_;
  double softcap_;
  Temperatures temperatures_;
  bool precise_, any_first_maximum_ = false;
  bool one_temperature_;
  ExpParams shared_;
};

}  // namespace vmx
