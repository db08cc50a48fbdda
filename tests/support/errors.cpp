// SPDX-License-Identifier: Apache-2.0
#include "support/errors.hpp"

#include "support/dtypes.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

namespace vmx::test {
namespace {

constexpr int64_t kFailuresShown = 5;

}  // namespace

ErrorReport::~ErrorReport() {
  if (failures_ > kFailuresShown) {
    ADD_FAILURE() << name_ << ": " << failures_ - kFailuresShown << " more values out of bounds";
  }
  if (count_ == 0) return;
  std::printf("%-44s %8lld values: error at most %6.3f u, mean %6.3f u; at most %5.1f %% of the bound (%s)\n",
              name_.c_str(), static_cast<long long>(count_), static_cast<double>(worst_),
              static_cast<double>(sum_ / static_cast<long double>(count_)), static_cast<double>(100 * worst_share_),
              worst_at_.c_str());
}

void ErrorReport::fail(double actual, long double expected, long double bound, const char* what, int64_t row,
                       int64_t col) {
  if (++failures_ > kFailuresShown) return;
  char text[160];
  std::snprintf(text, sizeof text, "got %.17g, expected %.21Lg, error %.4Lg, bound %.4Lg", actual, expected,
                static_cast<long double>(actual) - expected, bound);
  ADD_FAILURE() << name_ << ", " << what << ", row " << row << ", column " << col << ": " << text;
}

void ErrorReport::check(double actual, long double expected, long double bound, long double scale, int32_t stored_as,
                        const char* what, int64_t row, int64_t col) {
  if (std::isnan(expected) || std::isnan(actual)) {
    if (std::isnan(expected) != std::isnan(actual)) fail(actual, expected, bound, what, row, col);
    return;
  }
  if (std::isinf(expected) && std::isinf(actual)) {
    if (std::signbit(expected) != std::signbit(actual)) fail(actual, expected, bound, what, row, col);
    return;
  }
  if (std::isinf(actual)) {
    const long double top = static_cast<long double>(largest(stored_as)) + half_ulp(static_cast<long double>(largest(stored_as)), stored_as);
    const bool may_overflow = std::fabs(expected) + bound >= top && std::signbit(expected) == std::signbit(actual);
    if (!may_overflow) fail(actual, expected, bound, what, row, col);
    return;
  }
  if (std::isinf(expected)) {
    fail(actual, expected, bound, what, row, col);
    return;
  }
  const long double error = std::fabs(static_cast<long double>(actual) - expected);
  if (!(error <= bound)) fail(actual, expected, bound, what, row, col);
  if (!(scale > 0)) return;
  ++count_;
  const long double units = error / (scale * unit_);
  sum_ += units;
  if (units > worst_) worst_ = units;
  const long double share = bound > 0 ? error / bound : 0;
  if (share > worst_share_) {
    worst_share_ = share;
    worst_at_ = what;
  }
}

}  // namespace vmx::test
