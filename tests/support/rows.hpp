// SPDX-License-Identifier: Apache-2.0
// Kinds of rows that tests go through, made by integers and exact operations alone (hashes depend on them).
#pragma once

#include "support/random.hpp"

#include <cstdint>
#include <vector>

namespace vmx::test {

struct RowKind {
  const char* name;
  bool special;  // holds NaN or +inf, or nothing that is allowed
  double (*element)(Random& random, int64_t col, int64_t cols, double largest);
};

const std::vector<RowKind>& row_kinds();
const RowKind& row_kind(const char* name);

/// A row of the kind, rounded to the dtype.
std::vector<double> make_row(const RowKind& kind, int64_t cols, int32_t dtype, uint64_t seed);

}  // namespace vmx::test
