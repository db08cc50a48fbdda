// SPDX-License-Identifier: Apache-2.0
#include "support/rows.hpp"

#include "support/dtypes.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace vmx::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

const std::vector<RowKind>& row_kinds() {
  static const std::vector<RowKind> kinds = {
      {"bell", false, [](Random& r, int64_t, int64_t, double) { return r.bell(); }},
      {"wide", false, [](Random& r, int64_t, int64_t, double) { return 80 * r.symmetric(); }},
      {"very_wide", false, [](Random& r, int64_t, int64_t, double) { return 500 * r.symmetric(); }},
      {"narrow", false, [](Random& r, int64_t, int64_t, double) { return r.symmetric() / 4096; }},
      {"masked", false, [](Random& r, int64_t, int64_t, double) { return r.one_in(3) ? -kInf : 4 * r.bell(); }},
      {"mostly_masked", false,
       [](Random& r, int64_t c, int64_t n, double) { return c == n / 2 || r.one_in(97) ? r.bell() : -kInf; }},
      {"one_allowed", false, [](Random& r, int64_t c, int64_t n, double) { return c == n / 3 ? r.bell() : -kInf; }},
      {"first_half_masked", false,
       [](Random& r, int64_t c, int64_t n, double) { return 2 * c < n - 1 ? -kInf : 8 * r.bell(); }},
      {"equal", false, [](Random&, int64_t, int64_t, double) { return 2.75; }},
      {"rising", false, [](Random&, int64_t c, int64_t, double) { return static_cast<double>(c) / 256 - 9; }},
      {"falling", false, [](Random&, int64_t c, int64_t, double) { return 9 - static_cast<double>(c) / 256; }},
      {"spike", false, [](Random& r, int64_t c, int64_t n, double) { return (c == n - 1 ? 40 : 0) + r.bell(); }},
      {"deep_holes", false, [](Random& r, int64_t, int64_t, double) { return r.bell() - (r.one_in(2) ? 0 : 95); }},
      {"high", false, [](Random& r, int64_t, int64_t, double) { return 1000 + 8 * r.bell(); }},
      {"low", false, [](Random& r, int64_t, int64_t, double) { return -1000 + 8 * r.bell(); }},
      {"far", false, [](Random& r, int64_t, int64_t, double) { return 12000 * r.bell(); }},
      {"large", false, [](Random& r, int64_t, int64_t, double top) { return top / 16 * r.bell(); }},
      {"tiny", false, [](Random& r, int64_t, int64_t, double) { return r.symmetric() * 0x1p-130; }},
      {"zeros", false, [](Random& r, int64_t, int64_t, double) { return r.one_in(2) ? 0.0 : -0.0; }},
      {"largest", false, [](Random& r, int64_t c, int64_t, double top) { return c && r.one_in(2) ? -top : top; }},
      {"lowest", false, [](Random&, int64_t, int64_t, double top) { return -top; }},
      {"all_masked", true, [](Random&, int64_t, int64_t, double) { return -kInf; }},
      {"nan", true, [](Random& r, int64_t c, int64_t n, double) { return c == n / 2 ? kNan : r.bell(); }},
      {"inf", true, [](Random& r, int64_t c, int64_t n, double) { return c == n / 2 ? kInf : r.bell(); }},
      {"nan_and_inf", true,
       [](Random& r, int64_t c, int64_t n, double) { return c == 0 ? kInf : c == n - 1 ? kNan : r.bell(); }},
      {"nan_and_masked", true, [](Random&, int64_t c, int64_t n, double) { return c == n - 1 ? kNan : -kInf; }},
  };
  return kinds;
}

const RowKind& row_kind(const char* name) {
  for (const RowKind& kind : row_kinds()) {
    if (std::strcmp(kind.name, name) == 0) return kind;
  }
  throw std::invalid_argument(name);
}

std::vector<double> make_row(const RowKind& kind, int64_t cols, int32_t dtype, uint64_t seed) {
  Random random(seed * 0x2545f4914f6cdd1du + 1);
  std::vector<double> row;
  for (int64_t c = 0; c < cols; ++c) {
    double value = kind.element(random, c, cols, largest(dtype));
    // Narrow formats have no room for some kinds: their largest number stands in.
    if (std::isfinite(value) && std::fabs(value) > largest(dtype)) value = std::copysign(largest(dtype), value);
    row.push_back(rounded(static_cast<long double>(value), dtype));
  }
  return row;
}

}  // namespace vmx::test
