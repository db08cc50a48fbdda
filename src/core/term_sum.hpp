// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace vmx {

/// Sums over the scores of a row: of the terms and of their slopes. odd: a score was NaN or +inf.
struct TermSum {
  double sum = 0, slopes = 0;
  bool odd = false;
};

}  // namespace vmx
