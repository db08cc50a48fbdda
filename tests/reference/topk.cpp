// SPDX-License-Identifier: Apache-2.0
#include "reference/topk.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vmx::reference {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// By the bits, so that no flush mode has a say.
int64_t rank_of(double x, bool smallest) {
  if (smallest) x = -x;
  if (std::isnan(x)) return std::numeric_limits<int64_t>::min();
  int64_t bits;
  static_assert(sizeof bits == sizeof x);
  __builtin_memcpy(&bits, &x, sizeof bits);
  const int64_t magnitude = bits & std::numeric_limits<int64_t>::max();
  return bits < 0 ? -magnitude : magnitude;
}

}  // namespace

Topk topk(const std::vector<double>& x, int64_t k, const TopkOptions& options) {
  struct Candidate {
    int64_t rank, column;
  };
  std::vector<Candidate> candidates;
  Topk result{{}, VMX_ROW_EMPTY};
  for (size_t c = 0; c < x.size(); ++c) {
    const auto column = static_cast<int64_t>(c);
    if (std::isnan(x[c])) result.flags |= VMX_ROW_NAN;
    if (x[c] == kInf) result.flags |= VMX_ROW_INF;
    if (options.excluded.count(column)) continue;
    if (!std::isnan(x[c]) && x[c] != -kInf) result.flags &= ~VMX_ROW_EMPTY;
    candidates.push_back({rank_of(x[c], options.smallest), column});
  }
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.column < b.column;
  });
  if (static_cast<int64_t>(candidates.size()) > k) candidates.resize(static_cast<size_t>(k));
  for (const Candidate& c : candidates) result.columns.push_back(c.column);
  if (options.unsorted) std::sort(result.columns.begin(), result.columns.end());
  if (static_cast<int64_t>(candidates.size()) < k) result.flags |= VMX_ROW_UNDERFULL;
  result.columns.resize(static_cast<size_t>(k), -1);
  return result;
}

}  // namespace vmx::reference
