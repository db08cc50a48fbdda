// SPDX-License-Identifier: Apache-2.0
// What the k best of a row are, by sorting all of it. Slow and obvious.
#pragma once

#include <vastmax/vastmax.h>

#include <cstdint>
#include <set>
#include <vector>

namespace vmx::reference {

struct TopkOptions {
  bool smallest = false, unsorted = false;
  std::set<int64_t> excluded = {};  // columns of the row
};

struct Topk {
  std::vector<int64_t> columns;  // k of them, -1 where there are too few
  uint32_t flags;
};

/// Scores as numbers: every dtype is exact in f64.
Topk topk(const std::vector<double>& x, int64_t k, const TopkOptions& options);

}  // namespace vmx::reference
