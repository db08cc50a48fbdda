// SPDX-License-Identifier: Apache-2.0
// A list of ids for each row.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tool {

struct Csr {
  std::vector<int64_t> starts{0};
  std::vector<int32_t> ids;

  int64_t rows() const { return static_cast<int64_t>(starts.size()) - 1; }
  int64_t size() const { return static_cast<int64_t>(ids.size()); }
  int64_t count(int64_t row) const { return starts[row + 1] - starts[row]; }
  std::span<const int32_t> operator[](int64_t row) const {
    return {ids.data() + starts[row], static_cast<size_t>(count(row))};
  }
  template <class Range>
  void add_row(const Range& row) {
    ids.insert(ids.end(), row.begin(), row.end());
    starts.push_back(size());
  }
};

}  // namespace tool
