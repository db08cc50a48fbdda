// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace vmx {

/// One block's part of a full state.
struct BlockStats {
  static constexpr double kScoreScale = 0x1p-32;

  double max = 0;  // -inf if every column is masked
  bool nan = false, inf = false;
  int64_t count = 0;     // allowed columns
  double sum_wz = 0;     // of w z/T * kScoreScale over them
  double sum_w = 0;
  double sum_exp = 0;    // of e^t, t = (z - max)/T
  double sum_t_exp = 0;  // of t e^t
};

/// What label smoothing asks of a block, against a maximum known before: sums of terms that are all of one sign.
struct DistanceSums {
  int64_t count = 0;    // allowed columns
  double weight = 0;    // sum of w over them
  double distance = 0;  // of w (max - z)/T
};

}  // namespace vmx
